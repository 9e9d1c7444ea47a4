"""OSMO's own table of pods and what each means, asked of our `observe`.

The table is not part of this repository: `XYLEM_REFERENCE` names the folder that holds
`pod-status-cases.json`, or `XYLEM_POD_STATUS_CASES` another file of the same form.
"""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from operators.backend_listener.observe import verdict

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
REFERENCE = Path(os.environ.get("XYLEM_REFERENCE", "../shared/reference"))
FILE = Path(os.environ.get("XYLEM_POD_STATUS_CASES", REFERENCE / "pod-status-cases.json"))
CASES = json.loads(FILE.read_text())["test_cases"] if FILE.exists() else []

DIFFERENT: dict[str, dict[str, Any]] = {}
"""By the name of a case: what we say instead, on purpose. None of the 35 is touched by the
differences of `docs/osmo-differences.md`, which
`tests/unit/operators/backend_listener/test_observe.py` asks for."""


@pytest.mark.skipif(not CASES, reason=f"{FILE} is not there")
def test_the_table_of_pod_status_cases_was_found() -> None:
    names = [case["name"] for case in CASES]
    assert len(names) == len(set(names))
    assert DIFFERENT.keys() <= {case["name"] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].removeprefix("test_"))
def test_pod_status(case: dict[str, Any]) -> None:
    expected = DIFFERENT.get(case["name"], case["expected"])

    said = verdict(a_pod(case["input"]), NOW)

    assert (said.status, said.exit_code) == (expected["status"], expected.get("exit_code"))
    for part in expected.get("message_contains", ()):
        assert part in said.message


def a_pod(given: dict[str, Any]) -> dict[str, Any]:
    status = {
        "phase": given.get("phase"),
        "reason": given.get("reason"),
        "message": given.get("message"),
        "conditions": [_kubernetes(each) for each in given.get("conditions") or ()],
        "containerStatuses": [_kubernetes(each) for each in given.get("container_statuses") or ()],
        "initContainerStatuses": [
            _kubernetes(each) for each in given.get("init_container_statuses") or ()
        ],
    }
    return {"metadata": {"name": given.get("pod_name") or "pod"}, "status": status}


UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _kubernetes(value: Any) -> Any:
    """As the API writes it: names in camel case, and moments for `now` and `now-5m`."""
    match value:
        case dict():
            return {_camel(key): _kubernetes(inner) for key, inner in value.items()}
        case list():
            return [_kubernetes(inner) for inner in value]
        case str() if found := re.fullmatch(r"now(?:([-+]\d+)([smhd]))?", value):
            by = {UNITS[found[2]]: int(found[1])} if found[1] else {}
            return (NOW + timedelta(**by)).isoformat().replace("+00:00", "Z")
        case _:
            return value


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)
