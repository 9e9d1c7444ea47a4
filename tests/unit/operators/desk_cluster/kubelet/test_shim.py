"""What a folder of an attempt says, whatever its shim does between two looks into it."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operators.desk_cluster.kubelet.lifecycle import Ended, Running, Starting
from operators.desk_cluster.kubelet.shim import Folder


class AShim:
    """Does what the real one does, in its order, one step at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = -1

    def lock(self) -> None:
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def claim(self) -> None:
        (self._folder / "claim").write_text(str(os.getpid()))

    def start(self) -> None:
        (self._folder / "started").write_text("1000.000000000")

    def end(self) -> None:
        (self._folder / "ended").write_text("1001.000000000 exit 7 ")

    def leave(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def life(self) -> list[Callable[[], None]]:
        return [self.lock, self.claim, self.start, self.end, self.leave]


class WatchedFolder(Folder):
    """Lets the shim go on between any two questions of one look."""

    def __init__(self, path: Path, before_question: Callable[[], None]) -> None:
        super().__init__(path)
        self._before_question = before_question

    def _read(self, name: str) -> str | None:
        self._before_question()
        return super()._read(name)

    def _is_locked(self) -> bool:
        self._before_question()
        return super()._is_locked()


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[AShim]:
    made = AShim(tmp_path)
    yield made
    made.leave()


QUESTIONS = 6
"""More than one look asks."""


@pytest.mark.parametrize("done_before", range(6))
@pytest.mark.parametrize("pause", range(QUESTIONS))
@pytest.mark.parametrize("at_once", range(1, 6))
def test_an_attempt_whose_shim_lives_is_never_declared_lost(
    tmp_path: Path, shim: AShim, done_before: int, pause: int, at_once: int
) -> None:
    for step in shim.life[:done_before]:
        step()
    rest = iter(shim.life[done_before:])
    asked = 0

    def go_on() -> None:
        nonlocal asked
        if asked == pause:
            for _ in range(at_once):
                if (step := next(rest, None)) is not None:
                    step()
        asked += 1

    state = WatchedFolder(tmp_path, go_on).look()

    assert not isinstance(state, Ended) or state.code == 7


def test_an_attempt_whose_shim_left_without_a_word_is_lost(tmp_path: Path, shim: AShim) -> None:
    shim.lock()
    shim.claim()
    shim.start()
    shim.leave()

    state = Folder(tmp_path).look()

    assert isinstance(state, Ended)
    assert (state.code, state.reason) == (137, "ContainerStatusUnknown")
    assert Folder(tmp_path).look() == state


def test_an_attempt_that_no_shim_has_claimed_is_starting(tmp_path: Path) -> None:
    assert Folder(tmp_path).look() == Starting()


def test_an_attempt_runs_from_its_first_instruction_on(tmp_path: Path, shim: AShim) -> None:
    for step in shim.life[:3]:
        step()

    assert isinstance(Folder(tmp_path).look(), Running)
