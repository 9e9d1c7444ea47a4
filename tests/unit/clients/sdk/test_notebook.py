"""What a notebook shows of answers, whatever workflows call themselves."""

from typing import Any
from xml.etree import ElementTree

import pytest

from clients.sdk.models import (
    Answer,
    ArtifactPage,
    AuditPage,
    PoolQuotas,
    Pools,
    Submission,
    WhyPending,
    WorkflowPage,
)
from clients.sdk.notebook import MOST_ROWS
from tests.unit.clients.answers import a_group, a_task, workflow
from tests.unit.clients.sdk.test_async_client import listed

EVIL = "<script>alert('x')</script>&\""


def shown(answer: Answer) -> ElementTree.Element:
    """Well formed, or this raises."""
    return ElementTree.fromstring(f"<all>{answer._repr_html_()}</all>")


def texts(element: ElementTree.Element, tag: str) -> list[str]:
    return ["".join(one.itertext()).strip() for one in element.iter(tag)]


def test_a_workflow_is_a_tree_of_groups_and_tasks() -> None:
    first = a_group(
        a_task("a"), a_task("b", "FAILED", exit_code=3, failure_message="why", retry_id=1)
    )

    tree = shown(workflow(first, a_group(a_task("c")), status="FAILED"))

    assert texts(tree, "summary") == ["a-group COMPLETED", "c-group COMPLETED"]
    tasks = [one for one in texts(tree, "li") if "-group" not in one]
    assert tasks == ["a COMPLETED", "b FAILED attempt 2 exit code 3 why", "c COMPLETED"]


def test_a_list_is_a_table_without_the_columns_that_nobody_has() -> None:
    table = shown(WorkflowPage.model_validate(listed("a-1", "b-1")))

    assert texts(table, "th") == [
        "name",
        "user",
        "status",
        "submit time",
        "queued time",
        "priority",
    ]
    assert texts(table, "td")[:4] == ["a-1", "a", "RUNNING", "2026-01-01 00:00:00"]


ANSWERS: list[Answer] = [
    workflow(a_group(a_task(EVIL, failure_message=EVIL), name=EVIL), name=EVIL, pool=EVIL),
    WorkflowPage.model_validate(listed(EVIL)),
    Submission(name=EVIL, warnings=[EVIL]),
    Pools.model_validate({"pools": {EVIL: {"name": EVIL, "backend": EVIL}}}),
    ArtifactPage.model_validate(
        {"artifacts": [{"task": EVIL, "retry": 0, "path": EVIL, "size": 1, "url": EVIL}]}
    ),
    AuditPage.model_validate(
        {
            "records": [
                {
                    "entity": EVIL,
                    "version": 1,
                    "cause": EVIL,
                    "at": "2026-01-01T00:00:00",
                    "changes": [{"row": EVIL, "before": None, "after": {EVIL: EVIL}}],
                }
            ]
        }
    ),
    WhyPending.model_validate(
        {
            "name": EVIL,
            "status": "PENDING",
            "pool": EVIL,
            "backend": EVIL,
            "groups": [
                {
                    "name": EVIL,
                    "status": "WAITING",
                    "since": "2026-01-01T00:00:00",
                    "reasons": [{"waits_for": EVIL, "message": EVIL, "change": EVIL}],
                }
            ],
        }
    ),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_all_text_is_escaped(answer: Answer) -> None:
    element = shown(answer)

    assert EVIL in " ".join(element.itertext())
    assert list(element.iter("script")) == []


def test_nothing_is_an_answer_too() -> None:
    assert texts(shown(WorkflowPage(workflows=[])), "td") == []
    usage: dict[str, Any] = dict.fromkeys(
        ("quota_used", "quota_free", "quota_limit", "total_usage", "total_capacity", "total_free"),
        "1",
    )
    quotas = PoolQuotas.model_validate({"node_sets": [], "resource_sum": usage})
    assert "quota used" in texts(shown(quotas), "th")


def test_of_very_many_the_first_are_shown_and_the_rest_counted() -> None:
    many = [a_group(a_task(f"t{number}")) for number in range(MOST_ROWS + 3)]

    page = shown(WorkflowPage.model_validate(listed(*(f"w-{n}" for n in range(MOST_ROWS + 5)))))
    tree = shown(workflow(*many))

    assert texts(page, "caption") == ["and 5 more"]
    assert "and 3 more groups" in texts(tree, "li")
