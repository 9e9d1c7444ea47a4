"""Wrapper and sidecar together, against a Logger and a store over HTTP: what is printed is logged,
whole and once, whoever is killed and whoever is away."""

import json
import os
import signal
import socket
from functools import partial
from pathlib import Path
from statistics import median

import pytest

from operators.task_runtime.runtime import Code
from tests.contract.task_runtime.pod import Pod, killed_afterwards, until
from tests.unit.operators.task_runtime.services import (
    FORGET_TO_ANSWER,
    HANG_UP,
    Answer,
    Services,
    serving,
)
from xylem.protocol.spool import HEADER, Record, Stream, encode

LOGS = "/api/runtime/logs"
END = "/api/runtime/logs/end"
MB = 1024 * 1024
CPU_BUDGET = 0.100
"""Seconds, of user and system (`operators/task_runtime/__init__.py`)."""


HELLO = encode(Record(Stream.STDOUT, 1_000_000, b"hello\n"))


# The way of a task --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_what_is_printed_is_logged_and_outputs_are_uploaded_however_it_ended(
    pod: Pod, services: Services, code: int
) -> None:
    script = f"echo out; echo err >&2; echo result >{pod.output}/file; exit {code}"

    task, sidecar = pod.live("/bin/sh", "-c", script)

    assert (task.code, sidecar.code) == (code, Code.FINE)
    assert services.logged(Stream.STDOUT) == b"out\n"
    assert services.logged(Stream.STDERR) == b"err\n"
    assert b"Uploading outputs: 1 file, 7 bytes in " in services.logged(Stream.CONTROL)
    assert services.outputs == {"file": b"result\n"}
    assert pod.is_logged_whole()
    assert pod.last_word is None


def test_a_command_that_cannot_be_run_says_so_in_the_log(pod: Pod, services: Services) -> None:
    task, sidecar = pod.live("no-such-command")

    assert (task.code, sidecar.code) == (127, Code.FINE)
    assert b"cannot run no-such-command" in services.logged(Stream.STDERR)


def test_megabytes_and_bytes_that_are_no_text_are_logged_as_they_are(
    pod: Pod, services: Services
) -> None:
    content = b"x" * MB + b"\n" + bytes(range(256)) * 1000 + b"no newline"
    (pod.root / "content").write_bytes(content)

    pod.live("cat", str(pod.root / "content"))

    assert services.logged(Stream.STDOUT) == content
    assert pod.is_logged_whole()


def test_a_task_that_prints_its_secrets_has_a_log_without_them(
    pod: Pod, services: Services
) -> None:
    pod.configure(mask=["hunter2-marlin"])

    pod.live(
        *("/bin/sh", "-c"),
        "printf 'a hunter2-'; sleep 0.3; echo 'marlin b'; echo x >&2;"
        " printf hunter2-marlin | base64",
    )

    assert services.logged(Stream.STDOUT) == b"a [MASKED] b\n[MASKED]4=\n"
    assert services.log_length == services.log_bytes == len(pod.spool)


def test_the_service_of_yesterday_is_sent_the_spool_as_it_is(pod: Pod, services: Services) -> None:
    pod.configure(by_yesterdays_service=True)

    pod.live("/bin/echo", "hello")

    assert pod.is_logged_whole()
    assert not [asked.path for asked in services.asked if "length=" in asked.path]


def test_a_task_that_prints_nothing_has_an_empty_log_that_is_closed(
    pod: Pod, services: Services
) -> None:
    pod.live("true")

    assert services.log_length == 0
    assert services.paths("POST") == [END]


def test_a_command_waits_for_its_files_and_its_group(pod: Pod, services: Services) -> None:
    services.inputs = [[("file", b"from upstream\n")]]
    services.barrier_opens_after = 2
    pod.configure(inputs=1, barrier=True)
    task = pod.task("cat", f"{pod.input}/0/file", wait=True)

    assert pod.sidecar().end().code == Code.FINE
    assert task.end().code == 0
    assert services.logged(Stream.STDOUT) == b"from upstream\n"
    assert services.paths("POST").count("/api/runtime/barrier") == 3


AGAIN = (
    'n=$(cat $0 2>/dev/null || echo 0); echo $((n + 1)) > $0; echo "round $n"; '
    '[ "$n" -ge 1 ] || sleep 60'
)


@pytest.mark.parametrize("barrier", [True, False])
def test_a_command_begins_anew_when_another_task_of_its_group_is_tried_again(
    pod: Pod, services: Services, barrier: bool
) -> None:
    pod.configure(barrier=barrier, gang={"restarts": 0, "look_every": 0.05})
    task = pod.task("/bin/sh", "-c", AGAIN, str(pod.root / "rounds"), wait=barrier)
    sidecar = pod.sidecar()
    until(lambda: b"round 0" in services.logged(Stream.STDOUT), "it runs")

    services.restarts = 1

    assert (task.end().code, sidecar.end().code) == (0, Code.FINE)
    assert services.logged(Stream.STDOUT) == b"round 0\nround 1\n"
    assert b"the command begins anew" in services.logged(Stream.CONTROL)
    assert services.arrived == ([0, 1] if barrier else [])
    assert pod.is_logged_whole()


def test_who_comes_to_the_barrier_of_a_group_that_began_anew_waits_at_the_new_one(
    pod: Pod, services: Services
) -> None:
    services.restarts = 2
    pod.configure(barrier=True, gang={"restarts": 0, "look_every": 60})
    task = pod.shell("echo once", wait=True)

    assert (pod.sidecar().end().code, task.end().code) == (Code.FINE, 0)
    assert services.arrived == [0, 2]
    assert services.logged(Stream.STDOUT) == b"once\n"


def test_a_command_whose_files_cannot_be_had_never_starts(pod: Pod, services: Services) -> None:
    services.next("POST", "/api/runtime/inputs", Answer(400, b'{"message": "It has none."}'))
    pod.configure(inputs=1)
    task = pod.shell("echo started", wait=True)

    assert pod.sidecar().end().code == Code.DOWNLOAD
    assert task.end().code == Code.DOWNLOAD
    assert services.logged(Stream.STDOUT) == b""
    assert b"Downloading inputs failed: It has none.\n" in services.logged(Stream.CONTROL)
    assert pod.is_logged_whole()
    assert pod.last_word == {"code": Code.DOWNLOAD}


def test_a_command_whose_group_cannot_be_met_never_starts(pod: Pod, services: Services) -> None:
    services.next("POST", "/api/runtime/barrier", Answer(403, b'{"message": "Replaced."}'))
    pod.configure(barrier=True)
    task = pod.shell("echo started", wait=True)

    assert pod.sidecar().end().code == Code.BARRIER
    assert task.end().code == Code.BARRIER
    assert services.logged(Stream.STDOUT) == b""


def test_outputs_that_cannot_be_uploaded_fail_the_task_and_say_why(
    pod: Pod, services: Services
) -> None:
    task, sidecar = pod.live("/bin/sh", "-c", f"ln -s /etc/hostname {pod.output}/link")

    assert (task.code, sidecar.code) == (0, Code.UPLOAD)
    assert b"link is a link that leaves the output folder" in services.logged(Stream.CONTROL)
    assert pod.is_logged_whole()
    assert pod.last_word == {"code": Code.UPLOAD}


# The Logger ---------------------------------------------------------------------------------------


def test_a_logger_that_is_away_for_a_while_gets_everything_when_it_is_back(pod: Pod) -> None:
    away = Services()
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    away.url = f"http://127.0.0.1:{port}"
    pod.services = away
    pod.configure()
    task = pod.shell("for i in 1 2 3; do echo line $i; done")
    sidecar = pod.sidecar()
    task.end()

    with serving(away, port):
        away.next("POST", LOGS, Answer(503), HANG_UP, FORGET_TO_ANSWER)
        away.next("POST", END, HANG_UP, FORGET_TO_ANSWER)
        assert sidecar.end().code == Code.FINE

    assert away.logged(Stream.STDOUT) == b"line 1\nline 2\nline 3\n"
    assert pod.is_logged_whole()


def test_an_expired_token_is_renewed_on_the_way(pod: Pod, services: Services) -> None:
    services.expire_token()

    _, sidecar = pod.live("echo", "hello")

    assert sidecar.code == Code.FINE
    assert services.logged(Stream.STDOUT) == b"hello\n"
    assert services.paths("POST").count("/api/runtime/token") == 1


def test_an_attempt_that_gets_no_token_any_more_leaves_and_says_why(
    pod: Pod, services: Services
) -> None:
    services.expire_token()
    services.gives_tokens = False
    pod.shell("echo hello").end()
    sidecar = pod.sidecar()

    assert sidecar.end().code == Code.TOKEN
    assert "The log cannot be sent: The attempt is over." in sidecar.said
    assert pod.last_word == {"code": Code.TOKEN}


def test_a_log_that_was_closed_meanwhile_is_not_fought_over(pod: Pod, services: Services) -> None:
    services.next("POST", LOGS, Answer(410, b'{"message": "closed"}'))

    task, sidecar = pod.live("echo", "hello")

    assert (task.code, sidecar.code) == (0, Code.FINE)


def test_a_logger_that_has_more_than_was_ever_printed_ends_the_sidecar(
    pod: Pod, services: Services
) -> None:
    services.next("POST", LOGS, Answer(200, b'{"next": 1000000, "closed": false}'))

    task, sidecar = pod.live("echo", "hello")

    assert (task.code, sidecar.code) == (0, Code.OTHER)


# The end of a pod ---------------------------------------------------------------------------------


def test_a_pod_that_is_deleted_sends_its_last_words_and_uploads_nothing(
    pod: Pod, services: Services
) -> None:
    task = pod.shell(
        f"trap 'echo bye; exit 5' TERM; echo x >{pod.output}/file; echo ready;"
        " while :; do sleep .01; done"
    )
    sidecar = pod.sidecar()
    until(lambda: b"ready" in services.logged(Stream.STDOUT), "the command's words are logged")

    for process in (sidecar, task):
        process.kill(signal.SIGTERM)

    assert (task.end().code, sidecar.end().code) == (5, Code.TERMINATED)
    assert services.logged(Stream.STDOUT) == b"ready\nbye\n"
    assert services.outputs == {}
    assert pod.is_logged_whole()


def test_a_pod_that_is_deleted_while_its_command_is_to_begin_anew_sends_its_last_words(
    pod: Pod, services: Services
) -> None:
    pod.configure(gang={"restarts": 0, "look_every": 0.05})
    script = "trap 'echo asked; sleep 1; echo last; exit 3' TERM; echo ready; sleep 60 & wait"
    task = pod.shell(script)
    sidecar = pod.sidecar()
    until(lambda: b"ready" in services.logged(Stream.STDOUT), "it runs")
    services.restarts = 1
    until(lambda: b"asked" in pod.printed(), "it is asked to end")

    for process in (sidecar, task):
        process.kill(signal.SIGTERM)

    assert (task.end().code, sidecar.end().code) == (3, Code.TERMINATED)
    # It was asked twice, by the restart and by the end of its pod.
    assert services.logged(Stream.STDOUT).endswith(b"asked\nlast\n")


def test_a_pod_that_is_deleted_while_it_waits_closes_its_log(pod: Pod, services: Services) -> None:
    services.barrier_opens_after = 1_000_000
    pod.configure(barrier=True)
    task, sidecar = pod.shell("echo started", wait=True), pod.sidecar()
    until(lambda: services.paths("POST"), "the sidecar is at the barrier")

    for process in (sidecar, task):
        process.kill(signal.SIGTERM)

    assert (task.end().code, sidecar.end().code) == (143, Code.TERMINATED)
    assert services.log_length == 0


# Who is killed ------------------------------------------------------------------------------------


def test_a_wrapper_that_is_killed_ends_the_task_and_is_told_of_in_the_log(
    pod: Pod, services: Services
) -> None:
    with killed_afterwards(lambda: int(pod.printed().split()[0])):
        task, sidecar = pod.shell("echo $$; exec sleep 300"), pod.sidecar()
        until(pod.printed, "the command prints")

        task.kill()

        assert sidecar.end().code == Code.FINE
    assert b"The command was killed" in services.logged(Stream.CONTROL)
    assert pod.is_logged_whole()


def left_behind(pod: Pod, spool: bytes, exit: int | None) -> None:
    """What a wrapper leaves that is gone."""
    pod.run.mkdir(parents=True)
    (pod.run / "spool").write_bytes(spool)
    (pod.run / "alive").touch()
    if exit is not None:
        (pod.run / "exit").write_text(json.dumps({"code": exit}))


@pytest.mark.parametrize("exit", [None, 74])
@pytest.mark.parametrize("cut", [5, 15])
def test_a_record_that_a_wrapper_left_torn_is_filled_up_and_the_log_closed(
    pod: Pod, services: Services, exit: int | None, cut: int
) -> None:
    left_behind(pod, HELLO + HELLO[:cut], exit)

    assert pod.sidecar().end().code == Code.FINE

    first, torn = services.records[:2]
    assert first.data == b"hello\n"
    assert torn.data.strip() == b"hello\n"[: max(0, cut - HEADER.size)]
    assert pod.is_logged_whole()


def test_a_sidecar_that_is_killed_and_started_again_loses_and_repeats_nothing(
    pod: Pod, services: Services
) -> None:
    doors = [pod.root / "first-door", pod.root / "second-door"]
    for door in doors:
        os.mkfifo(door)
    task = pod.shell(
        f"seq 1 60000; read line <{doors[0]}; seq 60001 120000; read line <{doors[1]}; echo end"
    )
    for door in doors:
        before = services.log_bytes
        services.next("POST", LOGS, FORGET_TO_ANSWER)
        sidecar = pod.sidecar()
        until(partial(services.has_more_than, before), "a batch is stored")
        sidecar.kill()
        sidecar.end()
        door.write_text("go on\n")
    assert task.end().code == 0

    assert pod.sidecar().end().code == Code.FINE

    expected = "".join(f"{number}\n" for number in range(1, 120001)) + "end\n"
    assert services.logged(Stream.STDOUT) == expected.encode()
    assert pod.is_logged_whole()


def test_a_sidecar_that_is_killed_while_it_downloads_fetches_what_is_missing(
    pod: Pod, services: Services
) -> None:
    services.inputs = [[("big", b"x" * MB), ("small", b"y")]]
    services.next("GET", "/store/inputs/0/big", *[Answer(200, b"x" * MB, cut=True)] * 20)
    pod.configure(inputs=1)
    task = pod.shell(f"cat {pod.input}/0/small; wc -c <{pod.input}/0/big", wait=True)
    sidecar = pod.sidecar()
    until((pod.input / "0/small").exists, "the small file is there")
    until(lambda: "/store/inputs/0/big" in services.paths("GET"), "the big file is on its way")
    sidecar.kill()
    sidecar.end()
    (pod.input / ".xylem-parts" / "4711").write_bytes(b"half")
    services.forgive()

    assert pod.sidecar().end().code == Code.FINE

    assert task.end().code == 0
    assert services.logged(Stream.STDOUT).split() == [b"y" + str(MB).encode()]
    assert services.paths("GET").count("/store/inputs/0/small") == 1
    assert not (pod.input / ".xylem-parts").exists()


# What it costs ------------------------------------------------------------------------------------


def test_a_task_of_one_line_costs_a_sidecar_less_than_100_ms_of_cpu(
    tmp_path: Path, ctrl: Path
) -> None:
    def cost(number: int) -> float:
        services = Services()
        with serving(services):
            pod = Pod(tmp_path / f"pod-{number}", ctrl, services)
            _, sidecar = pod.live("echo", "hello")
        assert sidecar.code == Code.FINE
        assert services.logged(Stream.STDOUT) == b"hello\n"
        return sidecar.cpu

    costs = [cost(number) for number in range(10)]

    print(f"median of {len(costs)}: {median(costs) * 1000:.0f} ms")
    assert median(costs) < CPU_BUDGET, sorted(costs)
