"""Schedules in several processes. Apart from `__main__`, which a worker process does not import."""

import gc
from collections.abc import Iterator
from itertools import chain
from multiprocessing import get_context

from tests.simulation.world import Result, simulate

CHUNK = 50

YOUNG = 20_000
"""Objects, about those of a schedule, until the garbage collector looks: what a schedule makes it
keeps until its end."""


def results(seed: int, runs: int, jobs: int) -> Iterator[Result]:
    """In the order of the seeds, so that the first that fails is the same however many work."""
    seeds = range(seed, seed + runs)
    if jobs < 2:
        yield from map(simulate, seeds)
        return
    chunks = [seeds[at : at + CHUNK] for at in range(0, runs, CHUNK)]
    with get_context("spawn").Pool(jobs, _settle_in) as pool:
        yield from chain.from_iterable(pool.imap(_chunk, chunks))


def _settle_in() -> None:
    """A process that does nothing else: what was imported is never garbage."""
    gc.freeze()
    gc.set_threshold(YOUNG)


def _chunk(seeds: range) -> list[Result]:
    return [simulate(seed) for seed in seeds]
