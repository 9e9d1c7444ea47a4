"""How long to wait before what failed is tried again, and that the wait may end early."""

import os

FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 30.0


class Stopped(Exception):
    """Whoever waits is to end; patience has, too."""


def backoff(tries: int) -> float:
    """Full jitter: all pods of a cluster lose the service at the same moment, and must not come
    back at the same moment."""
    return chance() * min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(tries, 16))


def chance() -> float:
    """From 0 to 1. The `random` module takes 10 ms to import."""
    return int.from_bytes(os.urandom(4), "big") / 2**32
