"""The static programs of the operators, in C, and the tool that builds them.

A program that starts once per container or wraps a user's command must start in well under a
millisecond, run in any image whatever libc that has, and need nothing of it. Python does none of
this.
"""
