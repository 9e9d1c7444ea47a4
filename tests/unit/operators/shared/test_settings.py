"""What the operator is told, and one clear sentence for each thing that is wrong with it."""

from pathlib import Path

import pytest

from operators.shared.settings import BadSettings, settings

GOOD = {"XYLEM_URL": "wss://x.example/live", "XYLEM_BACKEND": "here", "XYLEM_TOKEN": "secret"}


def test_little_has_to_be_said() -> None:
    told = settings(GOOD)

    assert (told.url, told.backend, told.namespace) == ("wss://x.example/live", "here", "xylem")
    assert (told.token(), told.kubeconfig, told.health) == ("secret", None, None)
    assert (told.test_image, told.test_account) == ("", "xylem-backend-test")
    assert told.pod_name


def test_everything_can_be_said() -> None:
    more = {
        "XYLEM_NAMESPACE": "tasks",
        "KUBECONFIG": "/k",
        "POD_NAME": "p",
        "XYLEM_HEALTH": ":8081",
        "XYLEM_TEST_IMAGE": "registry.test/operator:1",
        "XYLEM_TEST_ACCOUNT": "tester",
    }

    told = settings(GOOD | more)

    assert (told.namespace, told.kubeconfig, told.pod_name) == ("tasks", "/k", "p")
    assert told.health == ("127.0.0.1", 8081)
    assert (told.test_image, told.test_account) == ("registry.test/operator:1", "tester")


def test_a_token_in_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    told = settings({**GOOD, "XYLEM_TOKEN": "", "XYLEM_TOKEN_FILE": str(file)})
    assert told.token() == "first"

    file.write_text("second")

    assert told.token() == "second"


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(settings(GOOD))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"XYLEM_URL": ""}, "Set XYLEM_URL to"),
        ({"XYLEM_URL": "https://x"}, "must begin with wss://"),
        ({"XYLEM_BACKEND": ""}, "Set XYLEM_BACKEND to"),
        ({"XYLEM_TOKEN": ""}, "Set either XYLEM_TOKEN or XYLEM_TOKEN_FILE"),
        ({"XYLEM_TOKEN_FILE": "/x"}, "Set either XYLEM_TOKEN or XYLEM_TOKEN_FILE"),
        ({"XYLEM_TOKEN": "", "XYLEM_TOKEN_FILE": "/nowhere"}, "cannot be read"),
        ({"XYLEM_HEALTH": "8081x"}, "must be host:port"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        settings(GOOD | change)
