import pytest

from xylem.domain.errors import InvalidSpec
from xylem.spec.labels import fault_of, given


def test_labels_are_given_as_key_and_value() -> None:
    assert given(["team=a", "example.com/exp=run-1", "team=b"]) == {
        "team": "b",
        "example.com/exp": "run-1",
    }


@pytest.mark.parametrize("text", ["team", "team=", "=a", "bad key=1", "team=a b", "a=b=c"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(InvalidSpec, match="is incorrectly formatted") as refused:
        given([text])

    assert refused.value.code == "USAGE"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("k" * 64, "v"),
        ("k", "v" * 64),
        ("/k", "v"),
        ("Example.com/k", "v"),
        ("k", "ä"),
        ("a/b/c", "v"),
    ],
)
def test_kubernetes_rules_hold(key: str, value: str) -> None:
    assert fault_of(key, value)


def test_the_longest_that_kubernetes_takes_is_taken() -> None:
    assert fault_of("k" * 63, "v" * 63) is None
