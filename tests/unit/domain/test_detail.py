"""Of all that a cluster says of a pod, what is news, and what answers a person's question."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.builders import NOON, UNSCHEDULABLE, a_task_detail
from xylem.domain.detail import (
    Condition,
    Container,
    Detail,
    PodWarning,
    is_news,
    saying,
    words,
)
from xylem.domain.status import TaskStatus

SCHEDULING, INITIALIZING = TaskStatus.SCHEDULING, TaskStatus.INITIALIZING
RUNNING, FAILED = TaskStatus.RUNNING, TaskStatus.FAILED
MINUTE = timedelta(minutes=1)

NOT_SCHEDULED = PodWarning("FailedScheduling", "no nodes available", at=NOON)
NO_VOLUME = PodWarning("FailedMount", "volume is not there", at=NOON + MINUTE)
DRAINED = Condition("DisruptionTarget", "True", "EvictionByEvictionAPI", "drained")
NO_SECRET = Container("lead", "waiting", "CreateContainerConfigError", "no secret s")
NO_IMAGE = Container("lead", "waiting", "ImagePullBackOff", "no such image")
BY_ITSELF = Container("lead", "terminated", "Error", "my own last words", exit_code=1)
TOO_LARGE = Container("lead", "terminated", "OOMKilled", exit_code=137)
NO_COMMAND = Container("lead", "terminated", "StartError", "exec: no such file", exit_code=128)
CONTROL = Container("osmo-ctrl", "terminated", "Error", exit_code=2)


def detail(*parts: Container | Condition | PodWarning) -> Detail:
    return Detail(
        tuple(one for one in parts if isinstance(one, Container)),
        tuple(one for one in parts if isinstance(one, Condition)),
        tuple(one for one in parts if isinstance(one, PodWarning)),
    )


@pytest.mark.parametrize(
    ("status", "parts", "said"),
    [
        (SCHEDULING, [UNSCHEDULABLE], f"Unschedulable: {UNSCHEDULABLE.message}"),
        (SCHEDULING, [NOT_SCHEDULED], "FailedScheduling: no nodes available"),
        (SCHEDULING, [NO_SECRET, UNSCHEDULABLE], "CreateContainerConfigError: no secret s"),
        (INITIALIZING, [NOT_SCHEDULED], ""),
        (INITIALIZING, [NOT_SCHEDULED, NO_VOLUME], "FailedMount: volume is not there"),
        (INITIALIZING, [NO_VOLUME, NOT_SCHEDULED], "FailedMount: volume is not there"),
        (RUNNING, [NO_VOLUME], ""),
        (TaskStatus.COMPLETED, [NO_VOLUME], ""),
        (TaskStatus.FAILED_IMAGE_PULL, [NO_IMAGE], "ImagePullBackOff: no such image"),
        (FAILED, [BY_ITSELF, NO_VOLUME], ""),
        (FAILED, [BY_ITSELF, DRAINED], "EvictionByEvictionAPI: drained"),
        (FAILED, [CONTROL, TOO_LARGE], "OOMKilled"),
        (FAILED, [NO_COMMAND], "StartError: exec: no such file"),
        (FAILED, [NOT_SCHEDULED], ""),
        (FAILED, [NO_VOLUME], "FailedMount: volume is not there"),
        (FAILED, [], ""),
    ],
)
def test_the_clusters_word_is_what_the_pod_waits_for_or_what_was_done_to_it(
    status: TaskStatus, parts: list[Container | Condition | PodWarning], said: str
) -> None:
    assert words(detail(*parts), status) == said


@pytest.mark.parametrize(
    ("message", "said", "whole"),
    [
        ("It failed. ", "OOMKilled", "It failed. The cluster says: OOMKilled"),
        ("It failed.", "", "It failed."),
        ("", "StartError: no file", "The cluster says: StartError: no file"),
        ("failed with ErrImagePull: not found.", "ErrImagePull: not found", None),
        ("The node was low on memory.", "TerminationByKubelet: The node was low", None),
        ("It was OOMKilled.", "OOMKilled", None),
    ],
)
def test_a_message_says_what_the_cluster_says_and_says_it_once(
    message: str, said: str, whole: str | None
) -> None:
    assert saying(message, said) == (message if whole is None else whole)


def test_what_is_told_first_is_news_and_told_again_is_none() -> None:
    told = a_task_detail()

    assert is_news(told, None)
    assert not is_news(replace(told, told_at=NOON + MINUTE), told)


def test_a_warning_that_came_again_is_no_news_but_one_in_other_words_is() -> None:
    kept = a_task_detail(detail=detail(UNSCHEDULABLE, NOT_SCHEDULED))
    again = replace(NOT_SCHEDULED, count=7, at=NOON + MINUTE)
    other = replace(again, message="of 4 nodes")

    assert not is_news(a_task_detail(detail=detail(UNSCHEDULABLE, again)), kept)
    assert is_news(a_task_detail(detail=detail(UNSCHEDULABLE, other)), kept)


def test_what_was_told_before_is_no_news_when_it_comes_late() -> None:
    waits = a_task_detail(detail=detail(UNSCHEDULABLE, NO_VOLUME))
    before = a_task_detail(detail=detail(UNSCHEDULABLE))
    ended = a_task_detail(status=FAILED, detail=detail(BY_ITSELF))

    assert not is_news(before, waits)
    assert is_news(waits, before)
    assert is_news(ended, waits)
    assert not is_news(waits, ended)
