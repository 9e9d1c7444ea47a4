"""The logs of the parts, their tools and the functions, by the names that people use."""

from pathlib import Path

import pytest

from clients.local.errors import LocalError
from clients.local.logs import follow, last_lines, log_files, name_of
from clients.local.settings import Settings, find_settings
from clients.local.up import cluster_warnings


def some_logs(home: Path, *paths: str) -> Settings:
    for path in paths:
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("one\ntwo\nthree\n")
    return find_settings({"XYLEM_HOME": str(home)})


def test_all_logs_are_those_of_the_parts_and_a_named_one_may_be_a_functions(
    tmp_path: Path,
) -> None:
    settings = some_logs(
        tmp_path,
        "logs/operator.log",
        "logs/deploy.log",
        "embedded-aws/logs/xylem-local-worker.log",
    )

    assert [name_of(path) for path in log_files(settings, None)] == ["operator"]
    assert last_lines(log_files(settings, "worker")[0], 2) == ["two", "three"]
    assert last_lines(log_files(settings, "worker")[0], 9) == ["one", "two", "three"]
    assert last_lines(log_files(settings, "worker")[0], 0) == []
    with pytest.raises(LocalError) as refused:
        log_files(settings, "nobody")
    assert refused.value.way_out == "There are: deploy, operator, worker."


def test_before_the_first_start_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no logs yet"):
        log_files(some_logs(tmp_path), None)


def test_following_tells_what_is_added_in_whole_lines_and_survives_a_rotation(
    tmp_path: Path,
) -> None:
    settings = some_logs(tmp_path, "logs/operator.log")
    (path,) = log_files(settings, "operator")
    later = iter([("a", "begun "), ("a", "and ended\nnot yet"), ("w", "rotated\n")])

    lines = follow([path], wait=lambda: write(path, *next(later)))

    assert [next(lines), next(lines)] == [("operator", "begun and ended"), ("operator", "rotated")]


def write(path: Path, mode: str, text: str) -> None:
    with path.open(mode) as file:
        file.write(text)


def test_the_clusters_last_word_on_what_this_machine_lacks_is_heard(tmp_path: Path) -> None:
    log = tmp_path / "desk-cluster.log"
    log.write_text(
        '{"ready": true, "warnings": ["old"]}\nsomething else\n'
        '{"ready": true, "warnings": ["no limits hold"]}\nafterwards\n'
    )

    assert cluster_warnings(log) == ("no limits hold",)
    assert cluster_warnings(tmp_path / "none.log") == ()
