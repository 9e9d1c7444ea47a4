"""Delayed Job Monitor: the one part that looks at the clock.

`sweep`, started every minute, rings again for jobs that nobody has done and pushes mail again that
no backend has answered. Everything it does is a repetition, so a sweep may come late, twice or not
at all.
"""
