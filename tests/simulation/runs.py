"""Schedules in several processes. Apart from `__main__`, which a worker process does not import."""

from collections.abc import Iterator
from itertools import chain
from multiprocessing import get_context

from tests.simulation.world import Result, simulate

CHUNK = 50


def results(seed: int, runs: int, jobs: int) -> Iterator[Result]:
    """In the order of the seeds, so that the first that fails is the same however many work."""
    seeds = range(seed, seed + runs)
    if jobs < 2:
        yield from map(simulate, seeds)
        return
    chunks = [seeds[at : at + CHUNK] for at in range(0, runs, CHUNK)]
    with get_context("spawn").Pool(jobs) as pool:
        yield from chain.from_iterable(pool.imap(_chunk, chunks))


def _chunk(seeds: range) -> list[Result]:
    return [simulate(seed) for seed in seeds]
