"""OSMO's recorded requests, asked again in their order: the answers are OSMO's.

`XYLEM_HTTP_EXAMPLES` names the file (default: `../shared/reference/osmo-http-examples.jsonl` beside
the repository). What is another one at each run (a time, an id, a token, a duration) is compared by
its form alone. A field of ours beside OSMO's is one of `OURS`. Where Xylem answers otherwise on
purpose `DIFFERENT` has the words with which `docs/osmo-differences.md` says so; its status is
compared all the same. A request without a recorded answer has to be one that there is a route for.
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

NOT_YET: dict[str, str] = {
    "list_label": "workflows",
    "logs_ok": "logs are the Logger's",
    "logs_task": "logs are the Logger's",
    "logs_query": "logs are the Logger's",
    "logs_bad_regex": "logs are the Logger's",
    "logs_neg": "logs are the Logger's",
    "logs_task_missing": "logs are the Logger's",
    "error_logs_no_task": "logs are the Logger's",
    "error_logs_task": "logs are the Logger's",
    "exec_finished": "workflows",
    "exec_noentry": "workflows",
    "pf_noports": "workflows",
    "rsync_disabled": "workflows",
    "tag_none": "workflows",
    "tag_add": "workflows",
    "tag_bad": "workflows",
    "tasks_": "tasks",
    "tasks_summary": "tasks",
    "tasks_aggregate_by_workflow": "tasks",
    "tasks_limit": "tasks",
    "tasks_running_all": "tasks",
    "pool_{}": "pools",
    "poolq_{}": "pools",
    "poolq_{'pools': ['default']}": "pools",
    "res_one": "pools",
    "profile": "profiles",
    "profile_token": "profiles",
    "profile_set": "profiles",
    "profile_set_bad": "profiles",
    "profile_set_extra": "profiles",
    "cred_del_missing": "x",
    "app_create": "apps",
    "app_create_dup": "apps",
    "app_create_badname": "apps",
    "app_create_nodesc": "apps",
    "app_create_badyaml": "apps",
    "app_get": "apps",
    "app_spec": "apps",
    "app_patch": "apps",
    "app_list": "apps",
    "app_get2": "apps",
    "app_missing": "apps",
    "app_rename": "apps",
    "app_del_other": "apps",
    "app_del_none": "apps",
    "app_del": "apps",
    "app_get3": "apps",
    "user_create": "users and roles",
    "user_create_dup": "users and roles",
    "user_bad": "users and roles",
    "user_badrole": "users and roles",
    "user_get": "users and roles",
    "user_missing": "users and roles",
    "user_list": "users and roles",
    "user_roles": "users and roles",
    "role_assign": "users and roles",
    "role_assign_missing": "users and roles",
    "role_users": "users and roles",
    "role_bulk": "users and roles",
    "token_create": "access tokens",
    "token_dup": "access tokens",
    "token_past": "access tokens",
    "token_far": "access tokens",
    "token_badfmt": "access tokens",
    "token_norole": "access tokens",
    "token_list": "access tokens",
    "token_roles": "access tokens",
    "token_admin_list": "users and roles",
    "jwt": "access tokens",
    "jwt_bad": "access tokens",
    "jwt_len": "access tokens",
    "role_remove": "users and roles",
    "token_roles_after": "access tokens",
    "token_del": "access tokens",
    "token_del_missing": "access tokens",
    "user_del": "users and roles",
    "cfg_service": "configs",
    "cfg_workflow": "configs",
    "cfg_backend": "configs",
    "cfg_pool": "configs",
    "cfg_group_template": "configs",
    "cfg_role": "roles",
    "cfg_role_missing": "roles",
    "cfg_platform": "configs",
    "cfg_platform_missing": "configs",
    "cfg_pool_patch": "configs",
    "cfg_pool_patch_missing": "configs",
    "cfg_pool_badname": "configs",
    "cfg_pool_rename": "configs",
    "cfg_pool_del": "configs",
    "cfg_svc_patch": "configs",
    "cfg_svc_bad": "configs",
    "cfg_gt_put": "configs",
    "cfg_gt_bad": "configs",
    "cfg_role_put": "roles",
    "cfg_role_badaction": "roles",
    "cfg_role_del_immutable": "roles",
    "cfg_role_put_immutable": "roles",
    "cfg_bt_badcron": "configs",
    "hist": "history of configs",
    "hist_pool": "history of configs",
    "hist_bad": "history of configs",
    "hist_rev0": "history of configs",
    "hist_at_and_before": "history of configs",
    "diff": "history of configs",
    "diff_missing": "history of configs",
    "rollback": "history of configs",
    "rollback_missing": "history of configs",
    "hist_tags": "history of configs",
    "hist_tags_none": "history of configs",
    "hist_del": "history of configs",
    "x-2": "history of configs",
    "hist_del_current": "history of configs",
    "hist_del_badtype": "history of configs",
    "rollback_deleted": "history of configs",
}
"""Requests that are not answered as recorded yet, and why. What is answered leaves the list."""

NAMES_ITS_PLACE = "A user's mistake is a 400 that names its place"

DIFFERENT: dict[str, str] = {
    "submit_env_bad": NAMES_ITS_PLACE,
    "submit_too_much_cpu": "all of it at once, and without OSMO's table of nodes",
    "submit_bad_platform": NAMES_ITS_PLACE,
    "submit_dup_task": NAMES_ITS_PLACE,
    "submit_tasks_and_groups": NAMES_ITS_PLACE,
    "submit_two_lead": NAMES_ITS_PLACE,
    "submit_cycle": "only true circles are refused",
}
"""By the request: words of the line that says how Xylem differs."""

OURS: dict[str, str] = {}
"""Fields that OSMO's answers do not have: words of the line that says so."""

FORMS = {
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|\+00:00)?"),
    "day": re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d"),
    "uuid": re.compile(r"[0-9a-f]{32}"),
    "pod": re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}(-r\d+-\d+)?"),
    "token": re.compile(r"[A-Za-z0-9_-]{43}"),
    "jwt": re.compile(r"ey[A-Za-z0-9_-]+\.ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"),
}
MEASURED = {"duration", "queued_time"}


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
    key = _key(number)
    if key in NOT_YET:
        assert verdicts[number], f"{key} is answered as recorded: take it from NOT_YET"
    else:
        assert not verdicts[number], verdicts[number]


@pytest.mark.skipif(not EXAMPLES, reason=f"there is no {FILE.name} here")
def test_http_every_exception_is_a_request_of_the_file() -> None:
    assert {*NOT_YET, *DIFFERENT} <= {_key(number) for number in range(len(EXAMPLES))}


def test_http_every_difference_is_a_line_of_the_document() -> None:
    text = " ".join(DIFFERENCES.read_text().split())

    assert [one for one in (*DIFFERENT.values(), *OURS.values()) if one not in text] == []


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
    if key in DIFFERENT:
        if answer.status >= 500:
            yield f"status: ours {answer.status}: {answer.body}"
        elif example["status"] < 500 and answer.status != example["status"]:
            if (answer.status < 400) != (example["status"] < 400):
                return
            yield f"status: recorded {example['status']}, ours {answer.status}: {answer.body}"
        return
    if answer.status != example["status"]:
        yield f"status: recorded {example['status']}, ours {answer.status}: {answer.body}"
        return
    recorded_type = example["content_type"].partition(";")[0]
    if answer.headers["content-type"].partition(";")[0] != recorded_type:
        yield f"content type: recorded {recorded_type}, ours {answer.headers['content-type']}"
    yield from _differences("", example["resp"], answer.body)


def _differences(path: str, recorded: Any, ours: Any) -> Iterator[str]:
    match recorded, ours:
        case dict(), dict():
            for key in recorded.keys() - ours.keys():
                yield f"{path}.{key}: is missing"
            for key in sorted(ours.keys() - recorded.keys() - OURS.keys()):
                yield f"{path}.{key}: is not recorded"
            for key in recorded.keys() & ours.keys():
                if key in MEASURED and recorded[key] is not None:
                    if not isinstance(ours[key], float):
                        yield f"{path}.{key}: {ours[key]!r} is no duration"
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
