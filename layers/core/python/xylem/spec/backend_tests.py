"""What an admin writes of a backend test -> `BackendTest`, and back: OSMO's words.

A test names pod templates, and what they come to has variables of tasks in it, of which a test has
none: what has such a variable alone as its value is left out, as with a pool's that is null. The
config itself is taken as OSMO takes it, even if no pod comes of it; that is refused where a backend
names the test, and from then on wherever it is changed.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import to_json

from xylem.domain.backend_test import DEFAULT_TIMEOUT, BackendTest
from xylem.domain.errors import InvalidRequest
from xylem.domain.ids import BackendName
from xylem.domain.pool_book import BackendConfig, PoolBook, pod_of_test
from xylem.domain.values import replace
from xylem.spec.cron import schedule_of
from xylem.spec.timeout import time_of
from xylem.spec.validations import Text

TEST_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""A DNS label, as with OSMO."""

TEST_NAME_CHARS = 41
"""A CronJob `xylem-test-NAME` has 52 at the most, since it adds to its jobs' names
(kubernetes.io/docs/concepts/workloads/controllers/cron-jobs)."""

TESTS_BYTES = 30_000
"""Of a backend's tests together, as JSON: its operator is told of them in one frame of 32 KB."""

MOST_CONDITIONS = 20
MOST_TEMPLATES = 20

TestName = Annotated[str, Field(pattern=TEST_NAME, max_length=TEST_NAME_CHARS)]

ConditionName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", max_length=63)
]
"""The part of a qualified name after its domain, which is the backend's prefix."""


def _timeout(text: str) -> str:
    time_of(text, "Leave it out for 300s.")
    return text


class TestForm(BaseModel):
    """`parsed_pod_template` is derived: who sends back what he read sends it, too."""

    __test__ = False
    model_config = ConfigDict(extra="forbid")

    name: str
    description: Text
    cron_schedule: Annotated[str, Field(max_length=200)]
    test_timeout: Annotated[str, Field(max_length=50), AfterValidator(_timeout)] = DEFAULT_TIMEOUT
    node_conditions: Annotated[list[ConditionName], Field(min_length=1, max_length=MOST_CONDITIONS)]
    common_pod_template: Annotated[list[str], Field(min_length=1, max_length=MOST_TEMPLATES)]
    parsed_pod_template: JsonValue = None


def put_test(name: str, form: TestForm, book: PoolBook, at: str = "configs") -> PoolBook:
    """Raises `InvalidRequest` with all that is wrong, each with its path."""
    problems = list(_problems(name, form, book, at))
    if problems:
        raise InvalidRequest("\n".join(problems), code="USER")
    test = BackendTest(
        schedule=form.cron_schedule,
        conditions=tuple(dict.fromkeys(form.node_conditions)),
        pod_templates=tuple(form.common_pod_template),
        timeout=form.test_timeout,
        description=form.description,
    )
    after = replace(book, backend_tests={**book.backend_tests, name: test})
    require_pods(after)
    return after


def _problems(name: str, form: TestForm, book: PoolBook, at: str) -> Iterator[str]:
    if form.name != name:
        yield f"{at}.name: is {form.name[:63]}, but this is the config of {name}."
    try:
        schedule_of(form.cron_schedule)
    except ValueError as error:
        yield str(error)
    for index, template in enumerate(form.common_pod_template):
        if template not in book.pod_templates:
            known = ", ".join(sorted(book.pod_templates))
            yield (
                f"{at}.common_pod_template[{index}]: {template[:63]} is not known: known are "
                f"{known}."
            )


def require_pods(book: PoolBook) -> None:
    """Raises `InvalidRequest` where a backend names a test of which no pod comes, or so many that
    its operator cannot be told of them."""
    named = {name for backend in book.backends.values() for name in backend.tests}
    problems = [
        f"backend test {name}: {problem}"
        for name in sorted(named)
        for problem in _lacks(name, book)
    ]
    if problems:
        raise InvalidRequest("\n".join(problems), code="USER")
    for backend in book.backends:
        if (size := len(to_json(told_tests(backend, book)))) > TESTS_BYTES:
            raise InvalidRequest(
                f"The tests of backend {backend} come to {size} bytes; {TESTS_BYTES} are the most: "
                "name fewer, or let their templates say less.",
                code="USER",
            )


def told_tests(backend: BackendName, book: PoolBook) -> list[dict[str, Any]]:
    """What the backend's operator is told of its tests, by name: the words of
    `xylem.protocol.agent.BackendTest`."""
    config = book.backends.get(backend, BackendConfig())
    return [_told(name, config, book) for name in sorted(config.tests)]


def _told(name: str, config: BackendConfig, book: PoolBook) -> dict[str, Any]:
    test = book.backend_tests[name]
    timeout = time_of(test.timeout)
    assert timeout is not None  # `_timeout`, above, took it
    return {
        "name": name,
        "schedule": test.schedule,
        "timeout_seconds": max(1, math.ceil(timeout.total_seconds())),
        "conditions": [config.node_conditions.prefix + one for one in test.conditions],
        "template": pod_of_test(name, book),
    }


def _lacks(name: str, book: PoolBook) -> Iterator[str]:
    containers = pod_of_test(name, book).get("spec", {}).get("containers", [])
    if not containers:
        yield "its pod templates have no container: name one that says what to run."
    for container in containers:
        if not container.get("image"):
            yield f"container {container['name']} of its pod templates has no image."


def delete_test(name: str, book: PoolBook) -> PoolBook:
    """Raises `InvalidRequest` where it is not there, or where a backend names it."""
    require_test(name, book)
    if users := book.naming_test(name):
        raise InvalidRequest(
            f"Backend Test {name} is used by backends: {', '.join(users)}. Take it out of their "
            "tests first.",
            code="USER",
        )
    rest = {key: one for key, one in book.backend_tests.items() if key != name}
    return replace(book, backend_tests=rest)


def require_test(name: str, book: PoolBook) -> BackendTest:
    """Raises `InvalidRequest`."""
    found = book.backend_tests.get(name)
    if found is None:
        raise InvalidRequest(f"Backend Test {name[:63]} does not exist.", code="USER")
    return found


def config_of_test(name: str, book: PoolBook) -> dict[str, Any]:
    test = require_test(name, book)
    return {
        "name": name,
        "description": test.description,
        "cron_schedule": test.schedule,
        "test_timeout": test.timeout,
        "node_conditions": list(test.conditions),
        "common_pod_template": list(test.pod_templates),
        "parsed_pod_template": dict(pod_of_test(name, book)),
    }
