"""Two templates become one, and variables get their values."""

import pytest

from xylem.domain.templates import Filling, filled, merged, variables


def named(name: str, **more: object) -> dict[str, object]:
    return {"name": name, **more}


def test_dictionaries_are_merged_deeply_and_the_later_value_stands() -> None:
    base = {"spec": {"hostIPC": False, "nodeSelector": {"a": "1", "b": "1"}}}
    over = {"spec": {"nodeSelector": {"b": "2"}, "hostIPC": True}}

    assert merged(base, over) == {"spec": {"hostIPC": True, "nodeSelector": {"a": "1", "b": "2"}}}


def test_what_has_a_name_in_a_list_is_merged_by_it_and_the_rest_follows() -> None:
    base = [named("a", image="x", env=[named("E", value="1")]), named("b")]
    over = [named("c"), named("a", env=[named("E", value="2"), named("F", value="3")])]

    assert merged(base, over) == [
        named("a", image="x", env=[named("E", value="2"), named("F", value="3")]),
        named("b"),
        named("c"),
    ]


def test_what_has_no_name_is_added_but_not_twice() -> None:
    tolerated, other = {"key": "gpu", "operator": "Exists"}, {"key": "ml", "operator": "Exists"}

    assert merged([tolerated], [other, tolerated]) == [tolerated, other]
    assert merged(["--verbose"], ["--verbose"]) == ["--verbose", "--verbose"]


def test_a_volume_that_is_mounted_at_two_places_of_one_template_stays_at_both() -> None:
    two = [named("shm", mountPath="/a"), named("shm", mountPath="/b")]

    assert merged([], two) == two
    assert merged([named("shm", mountPath="/c")], two) == two
    assert merged(two, [named("shm", readOnly=True)]) == [
        named("shm", mountPath="/a", readOnly=True),
        named("shm", mountPath="/b"),
    ]


def test_what_is_of_another_kind_is_replaced() -> None:
    assert merged({"a": [1]}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert merged({"a": {"b": 1}}, {"a": None}) == {"a": None}


def test_neither_template_is_changed_by_a_merge() -> None:
    base, over = {"l": [named("a", x={"y": 1})]}, {"l": [named("a", x={"z": 2})]}

    merged(base, over)

    assert base == {"l": [named("a", x={"y": 1})]}
    assert over == {"l": [named("a", x={"z": 2})]}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{{X}}", "8Gi", "8Gi"),
        ("a-{{ X }}-b", 8, "a-8-b"),
        ("{{X}}", 8.0, "8"),
        ("{{X}}", 0.5, "0.5"),
        ("{{X}}", True, "true"),
        ("{{X}}", ("n1", "n2"), ["n1", "n2"]),
        ("{{X}}", (), []),
        ("on {{X}}", ("n1", "n2"), "on n1,n2"),
        ("a{{X}}", None, "a"),
        ("{{Y}}", 1, "{{Y}}"),
        ("{ {X} }", 1, "{ {X} }"),
    ],
)
def test_a_variable_gets_its_value(text: str, value: Filling, expected: object) -> None:
    assert filled({"a": [text]}, {"X": value}) == {"a": [expected]}


def test_what_is_only_a_variable_without_a_value_is_left_out() -> None:
    template = {"a": "{{X}}", "b": ["{{X}}", "c"], "d": {"e": "{{ X }}"}}

    assert filled(template, {"X": None}) == {"b": ["c"], "d": {}}


def test_a_value_is_not_filled_in_again() -> None:
    assert filled("{{X}} {{Y}}", {"X": "{{Y}}", "Y": "1"}) == "{{Y}} 1"


def test_variables_are_found_with_their_first_place() -> None:
    template = {"spec": {"containers": [{"image": "{{A}}:{{B}}"}, {"image": "{{A}}"}]}}

    assert variables(template) == {
        "A": "spec.containers[0].image",
        "B": "spec.containers[0].image",
    }
