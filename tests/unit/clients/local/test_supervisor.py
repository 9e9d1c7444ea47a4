"""What supervisord is told, read back by its own parser, and what it says of parts."""

import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from clients.local.errors import LocalError
from clients.local.parts import HOME_VARIABLE, PartName, parts_of
from clients.local.settings import Settings, find_settings
from clients.local.supervisor import Running, Supervisor, configuration, scrubbed_environment

MADE_OF = {name.value: f"hash-of-{name}" for name in PartName}


def some_settings(home: Path) -> Settings:
    return find_settings({"XYLEM_HOME": str(home)})


def understood(home: Path) -> ServerOptions:
    settings = some_settings(home)
    settings.logs.mkdir(parents=True)
    text = configuration(settings, parts_of(settings), MADE_OF)
    settings.supervisor_configuration.write_text(text)
    options = ServerOptions()
    options.realize(["-c", str(settings.supervisor_configuration)])
    return options


def test_supervisord_understands_it_with_an_odd_name_of_the_folder(tmp_path: Path) -> None:
    home = tmp_path / "a name, with spaces; and more"

    options = understood(home)

    parts = {
        process.name: process
        for group in options.process_group_configs
        for process in group.process_configs
    }
    assert set(parts) == set(PartName)
    operator = parts[PartName.OPERATOR]
    assert operator.environment["KUBECONFIG"] == str(home / "desk-cluster" / "kubeconfig")
    assert (operator.autostart, parts[PartName.AWS].autostart) == (False, True)
    assert str(home / "embedded-aws") in shlex.split(parts[PartName.AWS].command)


def test_it_listens_on_a_socket_of_its_owner_alone(tmp_path: Path) -> None:
    (server,) = understood(tmp_path / "home").server_configs

    assert (server["section"], server["chmod"]) == ("unix_http_server", 0o700)


def test_it_changes_with_the_code_of_a_part(tmp_path: Path) -> None:
    settings = some_settings(tmp_path)
    parts = parts_of(settings)

    assert configuration(settings, parts, MADE_OF) != configuration(
        settings, parts, MADE_OF | {PartName.OPERATOR: "another"}
    )


def test_what_we_start_gets_little_of_our_environment_and_the_mark(tmp_path: Path) -> None:
    environment = scrubbed_environment(some_settings(tmp_path))

    assert environment[HOME_VARIABLE] == str(tmp_path)
    assert not [name for name in environment if name.startswith(("AWS_", "PYTEST"))]


def test_a_part_that_backs_off_may_still_come_and_one_that_is_fatal_will_not() -> None:
    states = {
        state: Running(name="p", state=state, pid=None, seconds=0, why="")
        for state in ("RUNNING", "STARTING", "BACKOFF", "FATAL", "EXITED", "STOPPED")
    }

    assert [state for state, part in states.items() if part.up] == ["RUNNING"]
    assert [state for state, part in states.items() if part.given_up] == ["FATAL", "EXITED"]


def test_a_supervisor_that_ended_meanwhile_is_a_sentence_and_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="supervisord ended") as refused:
        Supervisor(some_settings(tmp_path)).start_part(PartName.AWS)

    assert "xylem local up" in refused.value.way_out
