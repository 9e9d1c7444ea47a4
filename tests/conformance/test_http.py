"""OSMO's recorded requests, asked again in their order: the answers are OSMO's.

`XYLEM_HTTP_EXAMPLES` names the file (default: `../shared/reference/osmo-http-examples.jsonl` beside
the repository). What is another one at each run (a time, an id, a token, a duration) is compared by
its form alone. A field of ours beside OSMO's is one of `OURS`. Where Xylem answers otherwise on
purpose `DIFFERENT` has the words with which `docs/osmo-differences.md` says so, and where that is;
the rest of the answer is compared. A request without a recorded answer has to be one that there is
a route for.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.osmo_system import OsmoSystem, Request, osmo_system
from tests.unit.functions.core_service.gateway import Answer

ROOT = Path(__file__).parents[2]
FILE = Path(
    os.environ.get("XYLEM_HTTP_EXAMPLES")
    or ROOT.parent / "shared" / "reference" / "osmo-http-examples.jsonl"
)
DIFFERENCES = ROOT / "docs" / "osmo-differences.md"

PAUSES = {
    "validate_only": timedelta(seconds=25),
    "app_create": timedelta(seconds=4),
    "app_patch": timedelta(seconds=4),
    "app_del": timedelta(seconds=4),
}
"""After which requests nothing was asked for a while."""

NAMES_ITS_PLACE = "A user's mistake is a 400 that names its place"

DIFFERENT: dict[str, tuple[str, str]] = {
    "submit_env_bad": (NAMES_ITS_PLACE, r"\.message"),
    "submit_too_much_cpu": (
        "all of it at once, and without OSMO's table of nodes",
        r"\.message",
    ),
    "submit_bad_platform": (NAMES_ITS_PLACE, r"\.message"),
    "submit_dup_task": (NAMES_ITS_PLACE, r"\.message"),
    "submit_tasks_and_groups": (NAMES_ITS_PLACE, r"\.message"),
    "submit_two_lead": (NAMES_ITS_PLACE, r"\.message"),
    "submit_cycle": ("only true circles are refused", "status"),
    "cred_del_missing": ("without OSMO's misprint", r"\.message"),
    "token_badfmt": ("A day that is none is a 400", "status"),
    "cfg_service": (
        "`service_auth` has the keys, the issuer and the audience of the deployment",
        r"\.service_auth\.(keys\..*|active_key|issuer|audience)",
    ),
    "cfg_workflow": (
        "No secret is kept in a config, and no address of a store",
        r"\.max_num_tasks|\.workflow_(data|log|app)\.credential",
    ),
    "cfg_backend": (
        "Its fields that OSMO's routes show and Xylem does not keep",
        r"\.backends\[0\]\.k8s_namespace",
    ),
    "cfg_svc_bad": ("in pydantic's words, of its own version", r"\.message"),
    "hist": ("A role that ships keeps its policies", r"\.configs.*"),
    "diff": ("Whether a pool was online is not kept", r".*\.status"),
    "x-2": ("Whether a pool was online is not kept", r".*\.status"),
}
"""By the request: words of the line that says how Xylem differs, and where in the answer it may."""

OURS: dict[str, str] = {
    "joined": "it may be drained, which its pools show as MAINTENANCE",
    "draining": "it may be drained, which its pools show as MAINTENANCE",
    "registered_by": "A backend is registered before it joins",
    "max_retry_disrupted": "three times (`max_retry_disrupted` of the config `workflow`)",
    "cursor": "`more_entries: true` and the `cursor` of the next",
    "keep_refused_submissions": "`keep_refused_submissions` of the config WORKFLOW",
    "max_num_workflows_per_pool": "`max_num_workflows_per_pool` of the config WORKFLOW",
}
"""Fields that OSMO's answers do not have: words of the line that says so."""

OF_EVERY_ERROR = {"message", "error_code", "workflow_id"}
"""Beside `detail`: "What FastAPI answers by itself" in the document."""

FORMS = {
    "jwt": re.compile(r"ey[A-Za-z0-9_-]+\.ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|\+00:00)?"),
    "day": re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"),
    "uuid": re.compile(r"[0-9a-f]{32}"),
    "pod": re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}(-r\d+-\d+)?"),
    "token": re.compile(r"[A-Za-z0-9_-]{43}"),
}
MEASURED = {"duration", "queued_time", "expires_at"}


def _examples() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.is_file() else []


EXAMPLES = _examples()
NUMBERED = [
    pytest.param(number, id=f"http-{number:03d}-{one['name']}")
    for number, one in enumerate(EXAMPLES)
] or [pytest.param(None, marks=pytest.mark.skip(reason=f"there is no {FILE.name} here"))]


@pytest.fixture(scope="module")
def verdicts() -> list[str]:
    """Of each request what is wrong with our answer; empty: nothing."""
    with osmo_system() as system:
        return list(_replayed(system))


@pytest.mark.parametrize("number", NUMBERED)
def test_http(number: int, verdicts: list[str]) -> None:
    assert not verdicts[number], verdicts[number]


@pytest.mark.skipif(not EXAMPLES, reason=f"there is no {FILE.name} here")
def test_http_every_exception_is_a_request_of_the_file() -> None:
    assert DIFFERENT.keys() <= {_key(number) for number in range(len(EXAMPLES))}


def test_http_every_difference_is_a_line_of_the_document() -> None:
    text = " ".join(DIFFERENCES.read_text().split())

    said = [*(words for words, _ in DIFFERENT.values()), *OURS.values()]
    assert [words for words in said if words not in text] == []


def _key(number: int) -> str:
    """Two requests of the file have one name."""
    name = str(EXAMPLES[number]["name"])
    earlier = sum(one["name"] == name for one in EXAMPLES[:number])
    return f"{name}-{earlier + 1}" if earlier else name


def _replayed(system: OsmoSystem) -> Iterator[str]:
    known: dict[str, str] = {}
    for number, example in enumerate(EXAMPLES):
        answer = system.ask(_request(example, known))
        system.passes(PAUSES.get(example["name"], timedelta(0)))
        yield "\n".join(_wrong(_key(number), example, answer))
        if "resp" in example:
            _learn(example["resp"], answer.body, known)


def _request(example: dict[str, Any], known: dict[str, str]) -> Request:
    def now(text: str) -> str:
        for recorded, ours in known.items():
            text = text.replace(recorded, ours)
        return text

    body = example["body"]
    return Request(
        example["method"],
        now(example["path"]),
        {key: value for key, value in example["params"].items() if value is not None},
        None if body is None else json.loads(now(json.dumps(body))),
        example["user"],
        example["req_headers"] or {},
    )


def _learn(recorded: Any, ours: Any, known: dict[str, str]) -> None:
    """Ids and tokens of the recording that later requests name, and what they are with us."""
    match recorded, ours:
        case dict(), dict():
            for key in recorded.keys() & ours.keys():
                _learn(recorded[key], ours[key], known)
        case list(), list():
            for one, other in zip(recorded, ours, strict=False):
                _learn(one, other, known)
        case str(), str() if _form(recorded) in ("uuid", "token") and recorded not in known:
            known[recorded] = ours


def _wrong(key: str, example: dict[str, Any], answer: Answer) -> Iterator[str]:
    if "status" not in example:
        if answer.status >= 500 or (answer.status in (404, 405) and "detail" in answer.body):
            yield f"there is no answer: {answer.status} {answer.body}"
        return
    _, where = DIFFERENT.get(key, ("", "(?!)"))
    for difference in _compared(example, answer):
        if answer.status >= 500 or re.fullmatch(where, difference.partition(": ")[0]) is None:
            yield difference


def _compared(example: dict[str, Any], answer: Answer) -> Iterator[str]:
    """Each with where it is."""
    if answer.status != example["status"]:
        yield f"status: recorded {example['status']}, ours {answer.status}: {answer.body}"
        return
    recorded, ours = example["content_type"], answer.headers["content-type"]
    if recorded is not None and ours.partition(";")[0] != recorded.partition(";")[0]:
        yield f"content type: recorded {recorded}, ours {ours}"
    body = answer.body
    if isinstance(example["resp"], dict) and "detail" in example["resp"]:
        body = {name: value for name, value in body.items() if name not in OF_EVERY_ERROR}
    yield from _differences("", example["resp"], body)


def _differences(path: str, recorded: Any, ours: Any) -> Iterator[str]:
    match recorded, ours:
        case dict(), dict():
            for key in recorded.keys() - ours.keys():
                yield f"{path}.{key}: is missing"
            for key in sorted(ours.keys() - recorded.keys() - OURS.keys()):
                yield f"{path}.{key}: is not recorded"
            for key in recorded.keys() & ours.keys():
                if key in MEASURED and recorded[key] is not None:
                    if type(ours[key]) is not type(recorded[key]):
                        yield f"{path}.{key}: recorded {recorded[key]!r}, ours {ours[key]!r}"
                else:
                    yield from _differences(f"{path}.{key}", recorded[key], ours[key])
        case list(), list():
            if len(recorded) != len(ours):
                yield f"{path}: recorded {len(recorded)}, ours {len(ours)}: {ours}"
            for index, (one, other) in enumerate(zip(recorded, ours, strict=False)):
                yield from _differences(f"{path}[{index}]", one, other)
        case _:
            if _shape(recorded) != _shape(ours):
                yield f"{path}: recorded {recorded!r}, ours {ours!r}"


def _form(text: str) -> str | None:
    return next((name for name, form in FORMS.items() if form.fullmatch(text)), None)


def _shape(value: Any) -> Any:
    """What of a value is the same at each run; a number is one however it is written."""
    if not isinstance(value, str):
        return (type(value) is bool, value)
    for name, form in FORMS.items():
        value = form.sub(f"<{name}>", value)
    return re.sub(r"\d{4}-\d\d-\d\d", "<date>", value)
