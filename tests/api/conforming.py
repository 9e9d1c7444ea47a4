"""Requests that schemathesis makes of the API's own document, and what is wrong with the answers.

Half of the requests are as the document asks for, half are not. Of a parameter that names something
the name of what there is stands there as often as a made-up one, so that requests come past the
question whether it is there.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.system import DESCRIPTION, System, names_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""That a request which the document allows is taken is not asked: what it names may not be there.
Nor that one which it does not is refused: of OSMO's bodies unknown keys are passed over."""


Operation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Any]


PATIENCE_SECONDS = 300
"""Speed is measured elsewhere: a machine that does something else meanwhile is no defect."""


class Found(NamedTuple):
    """`request`: enough of it to send it again."""

    operation: str
    request: str
    wrong: str


def operations(changed: Callable[[dict[str, Any]], None] = lambda _: None) -> Iterator[Operation]:
    """Of the document as it is, or as `changed` leaves it."""
    system = System()
    changed(system.document)
    schema = schemathesis.openapi.from_asgi(DESCRIPTION, system)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def cases(operation: Operation) -> st.SearchStrategy[AnyCase]:
    @st.composite
    def draw_case(draw: st.DrawFn) -> AnyCase:
        mode = draw(st.sampled_from(GenerationMode))
        case: AnyCase = draw(operation.as_strategy(generation_mode=mode))
        for place in (case.path_parameters, case.query):
            for parameter in list(place or {}):
                known: list[Any] = names_of(parameter, operation.path)
                if known:
                    place[parameter] = draw(st.sampled_from([*known, place[parameter]]))
        return case

    return draw_case()


def wrong(operation: Operation, *, requests: int, first: int = 0) -> Found | None:
    """The first thing that is wrong with one of so many requests, made smaller; `first` is the
    seed."""
    last: list[AnyCase] = []

    @seed(first)
    @settings(
        max_examples=requests,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    @given(cases(operation))
    def ask(case: AnyCase) -> None:
        last[:] = [case]
        case.call_and_validate(checks=CHECKS, allow_redirects=False, timeout=PATIENCE_SECONDS)

    try:
        ask()
    except FailureGroup as group:
        return Found(
            operation.label, last[0].as_curl_command(), "; ".join(map(str, group.exceptions))
        )
    except Exception as error:
        return Found(operation.label, last[0].as_curl_command(), repr(error))
    return None


def seeds(first: int) -> Iterator[int]:
    dice = random.Random(first)
    while True:
        yield dice.getrandbits(32)
