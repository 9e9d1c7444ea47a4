"""Delayed Job Monitor: the one part that looks at the clock.

`sweep`, started every minute, rings again for jobs that nobody has done, rings for timers that fall
due, pushes mail again that no backend has answered, and lets go of sockets on which nobody speaks
any more. Everything it does is a repetition, so a sweep may come late, twice or not at all.
`timers` answers the rings, to about a second.
"""
