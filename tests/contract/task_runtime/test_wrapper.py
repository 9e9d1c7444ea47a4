"""The wrapper by itself: what it runs, what it keeps of what was printed, how it ends."""

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contract.task_runtime.pod import EXEC, Pod, Process, killed_afterwards, until
from xylem.protocol.spool import RECORD_BYTES, Stream, encode

MB = 1024 * 1024


def test_what_the_command_exits_with_is_its_own(pod: Pod) -> None:
    for code in (0, 3, 255):
        assert pod.shell(f"exit {code}").end().code == code
        assert pod.exit == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_command_that_a_signal_ended_exits_as_a_shell_says_it(
    pod: Pod, number: signal.Signals
) -> None:
    assert pod.shell(f"kill -{int(number)} $$").end().code == 128 + number
    assert pod.exit == 128 + number


def test_a_command_that_is_not_there_is_127_and_says_so_in_the_log(pod: Pod) -> None:
    for command, why in (
        ("no-such-command", "no such command on the PATH of this image"),
        ("/no/such/file", "No such file or directory"),
        ("/etc/hostname/x", "Not a directory"),
    ):
        assert pod.task(command).end().code == 127
        assert f"cannot run {command}: {why}\n" in pod.printed(Stream.STDERR).decode()
    assert pod.exit == 127


def test_a_file_that_is_no_program_is_126_and_says_so_in_the_log(pod: Pod) -> None:
    text, folder = pod.root / "text", pod.root
    text.write_text("no program")
    for command in (text, folder):
        assert pod.task(str(command)).end().code == 126
    text.chmod(0o755)
    assert pod.task(str(text)).end().code == 126

    said = pod.printed(Stream.STDERR).decode().splitlines()
    assert [line.rpartition(": ")[2] for line in said] == [
        "Permission denied",
        "Permission denied",
        "Exec format error",
    ]


def test_a_program_whose_interpreter_is_missing_is_told_from_one_that_is_missing(
    pod: Pod,
) -> None:
    script = pod.root / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)

    assert pod.task(str(script)).end().code == 127
    assert b"its interpreter or loader is not in this image" in pod.printed(Stream.STDERR)


def test_stdout_and_stderr_are_kept_apart(pod: Pod) -> None:
    pod.shell("echo out; echo err >&2; echo more").end()

    assert pod.printed(Stream.STDOUT) == b"out\nmore\n"
    assert pod.printed(Stream.STDERR) == b"err\n"


def test_a_record_carries_the_moment_at_which_it_was_printed(pod: Pod) -> None:
    before = datetime.now(UTC)

    pod.shell("echo now").end()

    assert before <= pod.records[0].at <= datetime.now(UTC)


def test_every_byte_there_is_can_be_printed(pod: Pod) -> None:
    every = bytes(range(256)) * 300
    (pod.root / "bytes").write_bytes(every)

    pod.task("cat", str(pod.root / "bytes")).end()

    assert pod.printed() == every


def test_a_line_of_a_megabyte_is_kept_in_records_that_are_bounded(pod: Pod) -> None:
    (pod.root / "line").write_bytes(b"x" * MB + b"\n")

    pod.task("cat", str(pod.root / "line")).end()

    assert pod.printed() == b"x" * MB + b"\n"
    assert max(len(record.data) for record in pod.records) <= RECORD_BYTES


def test_nothing_is_added_to_what_ends_without_a_newline(pod: Pod) -> None:
    pod.shell("printf 'no newline'").end()

    assert pod.printed() == b"no newline"


def test_a_command_has_nothing_to_read_and_its_own_environment(pod: Pod) -> None:
    assert pod.shell('read line; test $? = 1 && test -n "$PATH"').end().code == 0


def test_the_output_folder_is_there_before_the_command(pod: Pod) -> None:
    assert pod.shell(f"echo x >{pod.output}/file").end().code == 0
    assert pod.output.stat().st_mode & 0o777 == 0o777


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_passed_on_and_what_is_printed_then_is_kept(
    pod: Pod, number: signal.Signals
) -> None:
    task = pod.shell(
        f"trap 'echo bye; exit 5' {int(number)}; echo ready; while :; do sleep .01; done"
    )
    until(lambda: b"ready" in pod.printed(), "the command is ready")

    task.kill(number)

    assert task.end().code == 5
    assert pod.printed() == b"ready\nbye\n"


def test_a_signal_reaches_all_that_the_command_started(pod: Pod) -> None:
    task = pod.shell("(trap 'echo child; exit' TERM; echo ready; sleep 60 & wait) & wait $!; wait")
    until(lambda: b"ready" in pod.printed(), "the child is ready")

    task.kill(signal.SIGTERM)

    assert task.end().code == 128 + signal.SIGTERM
    assert b"child" in pod.printed()


def test_who_prints_moments_after_the_command_is_still_heard(pod: Pod) -> None:
    pod.shell("(sleep 0.2; echo late) & echo early").end()

    assert pod.printed() == b"early\nlate\n"


def test_a_background_process_that_holds_the_pipes_is_not_waited_for(pod: Pod) -> None:
    with killed_afterwards(lambda: int(pod.printed().split()[0])):
        task = pod.shell("sleep 300 & echo $!; echo done; exit 4")

        assert task.end().code == 4
        assert pod.printed().endswith(b"\ndone\n")


def is_locked(pod: Pod) -> bool:
    file = pod.run / "alive"
    inode = file.stat().st_ino if file.exists() else None
    locks = Path("/proc/locks").read_text().splitlines()
    return any(line.split()[-3].endswith(f":{inode}") for line in locks if " FLOCK " in line)


def test_a_wrapper_that_is_killed_leaves_no_exit_and_no_lock(pod: Pod) -> None:
    with killed_afterwards(lambda: int(pod.printed().split()[0])):
        task = pod.shell("echo $$; exec sleep 300")
        until(pod.printed, "the command prints")
        assert is_locked(pod)

        task.kill()
        task.end()

    assert pod.exit is None
    assert not is_locked(pod)


def test_a_command_that_is_started_again_goes_on_with_the_same_spool(pod: Pod) -> None:
    pod.shell("echo first; exit 1").end()
    pod.shell("echo second; exit 0").end()

    assert pod.printed() == b"first\nsecond\n"
    assert pod.exit == 0


@pytest.mark.parametrize("cut", [1, 12, 13, 15])
def test_what_a_killed_wrapper_left_torn_is_filled_up_by_the_next(pod: Pod, cut: int) -> None:
    pod.shell("echo first").end()
    torn = encode(pod.records[0])[:cut]
    with (pod.run / "spool").open("ab") as spool:
        spool.write(torn)

    pod.shell("echo second").end()

    first, filled, second = pod.records
    assert (first.data, second.data) == (b"first\n", b"second\n")
    kept = torn[13:]
    assert filled.data == kept + b" " * (len(filled.data) - len(kept))


# Waiting ------------------------------------------------------------------------------------------


def waiting(pod: Pod) -> Process:
    task = pod.shell("echo started", wait=True)
    until((pod.run / "spool").exists, "the wrapper is up")
    return task


def told(pod: Pod, name: str, content: str = "") -> None:
    (pod.run / f"{name}.new").write_text(content)
    (pod.run / f"{name}.new").rename(pod.run / name)


def test_a_command_that_waits_starts_when_told_to_go(pod: Pod) -> None:
    task = waiting(pod)
    assert task.alive
    assert pod.printed() == b""

    told(pod, "go")

    assert task.end().code == 0
    assert pod.printed() == b"started\n"


def test_a_command_that_was_told_to_go_before_it_waits_does_not_wait(pod: Pod) -> None:
    pod.run.mkdir(parents=True)
    told(pod, "go")

    assert pod.shell("echo started", wait=True).end().code == 0


def test_a_command_that_is_told_to_stop_never_starts(pod: Pod) -> None:
    task = waiting(pod)

    told(pod, "stop", "10")

    assert task.end().code == 10
    assert pod.exit == 10
    assert pod.printed() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_waits_can_be_ended(pod: Pod, number: signal.Signals) -> None:
    task = waiting(pod)

    task.kill(number)

    assert task.end().code == 128 + number
    assert pod.exit == 128 + number
    assert pod.printed() == b""


# Beginning anew -----------------------------------------------------------------------------------

ROUND = (
    'n=$(cat $0/rounds 2>/dev/null || echo 0); echo $((n + 1)) > $0/rounds; echo "round $n"; '
    'trap "echo asked; exit 9" TERM; [ "$n" -ge {last} ] || {{ sleep 60 & wait; }}'
)


def rounds(pod: Pod, last: int, *, wait: bool = False) -> Process:
    return pod.task("/bin/sh", "-c", ROUND.format(last=last), str(pod.root), wait=wait)


def printed(pod: Pod, text: str) -> Callable[[], bool]:
    return lambda: text.encode() in pod.printed()


def said(pod: Pod, name: str, number: int) -> Callable[[], bool]:
    file = pod.run / name
    return lambda: file.exists() and file.read_text() == str(number)


@pytest.mark.parametrize("wait", [False, True])
def test_a_command_that_is_told_to_begin_anew_is_asked_to_end_and_starts_when_told(
    pod: Pod, wait: bool
) -> None:
    task = rounds(pod, last=2, wait=wait)
    if wait:
        until((pod.run / "spool").exists, "the wrapper is up")
        told(pod, "go", "0")

    for number in (1, 2):
        until(printed(pod, f"round {number - 1}"), "it runs")
        told(pod, "restart", f"{number}")
        until(said(pod, "stopped", number), "it has ended")
        assert task.alive
        assert f"round {number}".encode() not in pod.printed()
        told(pod, "go", f"{number}")

    assert task.end().code == 0
    assert pod.exit == 0
    assert pod.printed() == b"round 0\nasked\nround 1\nasked\nround 2\n"


def test_what_the_command_started_and_does_not_listen_is_ended_before_it_begins_anew(
    pod: Pod,
) -> None:
    left = pod.root / "left"
    script = (
        'if [ -e "$0" ]; then exit 0; fi; '
        "( trap '' TERM; while :; do echo x; sleep 0.05; done ) >> \"$0\" & sleep 60"
    )
    task = pod.task("/bin/sh", "-c", script, str(left))
    until(lambda: left.exists() and left.stat().st_size > 4, "its child writes")

    told(pod, "go", "1")
    told(pod, "restart", "1")

    assert task.end().code == 0
    size = left.stat().st_size
    time.sleep(0.3)  # in which one that lived would write six times
    assert left.stat().st_size == size


def test_a_go_of_an_earlier_time_starts_nothing(pod: Pod) -> None:
    task = rounds(pod, last=1, wait=True)
    until((pod.run / "spool").exists, "the wrapper is up")
    told(pod, "go", "0")
    until(printed(pod, "round 0"), "it runs")
    told(pod, "restart", "1")
    until(said(pod, "stopped", 1), "it has ended")

    told(pod, "go", "0")
    told(pod, "stop", "24")

    assert task.end().code == 24
    assert b"round 1" not in pod.printed()


def test_the_same_restart_told_twice_is_one(pod: Pod) -> None:
    task = rounds(pod, last=2)
    until(printed(pod, "round 0"), "it runs")
    told(pod, "go", "1")
    told(pod, "restart", "1")
    until(printed(pod, "round 1"), "it runs again")

    told(pod, "restart", "1")
    told(pod, "go", "2")
    told(pod, "restart", "2")

    assert task.end().code == 0
    assert pod.printed() == b"round 0\nasked\nround 1\nasked\nround 2\n"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_pod_that_is_to_end_does_not_begin_anew(pod: Pod, stopped: bool) -> None:
    task = rounds(pod, last=1)
    until(printed(pod, "round 0"), "it runs")
    if stopped:
        told(pod, "restart", "1")
        until(said(pod, "stopped", 1), "it has ended")

    task.kill(signal.SIGTERM)
    told(pod, "restart", "1")

    assert task.end().code == (143 if stopped else 9)
    assert b"round 1" not in pod.printed()


# The program --------------------------------------------------------------------------------------


def test_it_installs_itself_and_runs_where_it_was_installed(pod: Pod) -> None:
    target = pod.root / "bin"
    target.mkdir()

    installed = Process([str(EXEC), "install", str(target)], pod.root / "install.log")

    assert installed.end().code == 0
    assert [path.name for path in target.iterdir()] == ["xylem-exec"]
    assert (target / "xylem-exec").read_bytes() == EXEC.read_bytes()
    assert os.access(target / "xylem-exec", os.X_OK)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["install"],
        ["walk"],
        ["run", "--", "true"],
        ["run", "--run", "/nowhere"],
        ["run", "--run", "/nowhere", "--"],
        ["run", "--run", "/nowhere", "--unknown", "--", "true"],
    ],
)
def test_what_it_does_not_understand_is_125(pod: Pod, arguments: list[str]) -> None:
    process = Process([str(EXEC), *arguments], pod.root / "usage.log")

    assert process.end().code == 125
    assert "usage: xylem-exec" in process.said
