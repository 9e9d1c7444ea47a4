import json
from pathlib import Path

from clients.local.embedded_aws.calls import Call, Callers, CallJournal, is_presigned
from clients.local.embedded_aws.lambda_environment import access_key_of


def a_call(operation: str = "dynamodb:GetItem") -> Call:
    return Call(
        at=1.0,
        who="agent",
        operation=operation,
        allow=(("dynamodb:GetItem", "arn:table"),),
        status=200,
        request_bytes=10,
        capacity_units=0.5,
    )


def test_a_call_is_a_line_in_the_words_of_a_policy(tmp_path: Path) -> None:
    journal = CallJournal(tmp_path / "calls.jsonl")
    journal.add(a_call())
    journal.flush()

    assert json.loads((tmp_path / "calls.jsonl").read_text()) == {
        "at": 1.0,
        "who": "agent",
        "operation": "dynamodb:GetItem",
        "allow": [{"action": "dynamodb:GetItem", "resource": "arn:table"}],
        "status": 200,
        "request_bytes": 10,
        "capacity_units": 0.5,
    }


def test_the_journal_is_bounded(tmp_path: Path) -> None:
    journal = CallJournal(tmp_path / "calls.jsonl", limit=10)
    for operation in ("first", "second"):
        journal.add(a_call(operation))
        journal.flush()

    assert [path.name for path in tmp_path.iterdir()] == ["calls.jsonl.1"]
    assert "second" in (tmp_path / "calls.jsonl.1").read_text()


def test_a_key_is_the_functions_whose_it_is_also_when_it_was_just_deployed() -> None:
    functions = ["agent"]
    callers = Callers(lambda: functions)
    assert callers.who(access_key_of("agent")) == "agent"
    assert callers.who(access_key_of("worker")) == "caller"

    functions.append("worker")

    assert callers.who(access_key_of("worker")) == "worker"
    assert callers.who("AKIAPERSON") == callers.who(None) == "caller"


def test_who_transfers_by_a_signed_url_is_outside() -> None:
    assert is_presigned({"X-Amz-Signature": ["0"]})
    assert not is_presigned({"list-type": ["2"]})
