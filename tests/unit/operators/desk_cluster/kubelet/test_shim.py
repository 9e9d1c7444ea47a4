"""What a folder of an attempt says, whatever its shim does between two looks into it."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operators.desk_cluster.kubelet.lifecycle import Ended, Running, Starting
from operators.desk_cluster.kubelet.shim import Folder, Process, render, start_time


class AShim:
    """Does what the real one does, in its order, one step at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = -1

    def lock(self) -> None:
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def claim(self) -> None:
        (made := self._folder / "claim.made").write_text(str(os.getpid()))
        with contextlib.suppress(FileExistsError):
            os.link(made, self._folder / "claim")
        made.unlink()

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


def test_an_attempt_is_there_with_its_whole_specification_or_not_at_all(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "0")

    folder.path.mkdir()
    before = folder.prepared
    folder.prepare([("argument", "true")])

    assert (before, folder.prepared) == (False, True)
    assert (folder.path / "spec").read_bytes() == b"argument\0true\0"
    assert not list(folder.path.glob(".*"))


def test_a_specification_holds_no_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        render([("argument", "a\0b")])


@pytest.mark.parametrize("done_before", range(6))
def test_an_attempt_is_forbidden_or_its_shims_and_never_both(
    tmp_path: Path, shim: AShim, done_before: int
) -> None:
    for step in shim.life[:done_before]:
        step()
    claimed = Folder(tmp_path).claimed

    forbidden = Folder(tmp_path).forbid()
    for step in shim.life[done_before:2]:
        step()

    assert forbidden is not claimed
    mine = (tmp_path / "claim").read_text() == str(os.getpid())
    assert mine is not forbidden, "the shim sees that the claim is not its own, and leaves"


def test_a_forbidden_attempt_is_lost_and_nobody_keeps_it(tmp_path: Path, shim: AShim) -> None:
    shim.lock()

    Folder(tmp_path).forbid()

    assert Folder(tmp_path).keeper() is None
    shim.leave()
    state = Folder(tmp_path).look()
    assert isinstance(state, Ended)
    assert (state.code, state.reason) == (137, "ContainerStatusUnknown")


def test_an_attempt_is_contested_while_a_shim_is_about_to_claim_it(
    tmp_path: Path, shim: AShim
) -> None:
    seen = [Folder(tmp_path).contested]
    for step in shim.life:
        step()
        seen.append(Folder(tmp_path).contested)

    assert seen == [False, True, False, False, False, False]


def test_two_who_ask_do_not_take_each_other_for_a_shim(tmp_path: Path, shim: AShim) -> None:
    shim.lock()
    shim.claim()
    shim.leave()
    with (tmp_path / "lock").open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)

        assert Folder(tmp_path).keeper() is None


@pytest.mark.parametrize(
    ("record", "code", "reason", "signal"),
    [
        ("1001.0 exit 0 ", 0, "Completed", 0),
        ("1001.0 exit 3 ", 3, "Error", 0),
        ("1001.0 signal 9 ", 137, "Error", 9),
        ("1001.0 signal 15 ", 143, "Error", 15),
        ("1001.0 error 128 exec: no such file", 128, "StartError", 0),
    ],
)
def test_how_an_attempt_ended_is_said_in_the_words_of_kubernetes(
    tmp_path: Path, record: str, code: int, reason: str, signal: int
) -> None:
    (tmp_path / "ended").write_text(record)

    state = Folder(tmp_path).state()

    assert isinstance(state, Ended)
    assert (state.code, state.reason, state.signal) == (code, reason, signal)


def test_that_memory_ran_out_is_known_when_the_cgroup_is_gone(tmp_path: Path) -> None:
    (tmp_path / "ended").write_text("1001.0 signal 9 ")

    Folder(tmp_path).declare_out_of_memory()

    state = Folder(tmp_path).state()
    assert isinstance(state, Ended)
    assert (state.code, state.reason) == (137, "OOMKilled")


def test_a_process_is_known_by_its_start_and_not_by_its_pid_alone() -> None:
    pid = os.getpid()
    me, earlier = Process(pid, start_time(pid)), Process(pid, "1")

    handle = me.open()
    assert handle is not None
    os.close(handle)
    assert earlier.open() is None
