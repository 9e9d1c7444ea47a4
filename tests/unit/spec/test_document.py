import pytest

from xylem.domain.errors import InvalidSpec, TooLarge
from xylem.spec.document import SPEC_BYTES, load, mapping, sections


def test_each_top_level_key_has_its_own_text() -> None:
    parts = sections("version: 2\nworkflow:\n  name: a\ndefault-values:\n  n: 1\n")

    assert set(parts) == {"version", "workflow", "default-values"}
    assert parts["default-values"].strip() == "default-values:\n  n: 1"


def test_what_stands_before_the_first_key_is_not_read() -> None:
    assert sections("# licence\n{% nonsense\nworkflow: {name: a}\n")["workflow"].strip() == (
        "workflow: {name: a}"
    )


def test_a_section_keeps_the_line_numbers_of_the_file() -> None:
    text = "# licence\nversion: 2\nworkflow:\n  name: [\n"

    with pytest.raises(InvalidSpec, match="line 5"):
        load(sections(text)["workflow"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("workflow:\n  name: a\njobs: []\n", "Unknown top-level key jobs"),
        ("workflow: {}\nworkflow: {}\n", "workflow is there more than once"),
        ("version: 2\n", "Workflow spec not found"),
        ("  workflow: {}\n", "Workflow spec not found"),
        ("", "Workflow spec not found"),
    ],
)
def test_wrong_top_level_keys_are_named(text: str, why: str) -> None:
    with pytest.raises(InvalidSpec, match=why) as refused:
        sections(text)

    assert refused.value.code == "USER"


def test_a_byte_order_mark_does_not_hide_the_first_key() -> None:
    assert "workflow" in sections("\ufeffworkflow: {}\n")


def test_a_spec_above_the_limit_is_too_large_whatever_its_characters_weigh() -> None:
    with pytest.raises(TooLarge, match="4194304"):
        sections("workflow: " + "ü" * (SPEC_BYTES // 2))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_and_does_not_end_the_process(opening: str) -> None:
    with pytest.raises(InvalidSpec, match="nested more than 100 deep"):
        load(opening * 200_000)


def test_aliases_that_grow_for_ever_are_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
    )

    with pytest.raises(InvalidSpec, match="more than 1000000 values"):
        load(bomb)


def test_merge_keys_that_grow_for_ever_are_refused() -> None:
    bomb = "a0: &a0 {k: v}\n" + "".join(
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 30)
    )

    with pytest.raises(InvalidSpec, match="more than 1000000 values"):
        load(bomb)


def test_a_value_that_contains_itself_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="too much to read"):
        load("a: &a [*a]")


def test_aliases_that_save_typing_work() -> None:
    assert load("a: &a {k: v}\nb: *a\nc: {<<: *a, l: w}") == {
        "a": {"k": "v"},
        "b": {"k": "v"},
        "c": {"k": "v", "l": "w"},
    }


@pytest.mark.parametrize("number", ["1" + ":1" * 100_000, "9" * 5_000, "0x" + "f" * 5_000])
def test_numbers_that_take_hours_to_read_are_refused(number: str) -> None:
    with pytest.raises(InvalidSpec, match="more than 64 digits"):
        load(f"a: {number}")


def test_a_long_quoted_text_of_digits_is_a_text() -> None:
    assert load(f'a: "{"9" * 5_000}"') == {"a": "9" * 5_000}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\nb: [1", r"flow sequence \(from line 2\)"),
        ("a: 1\nb: c: d", "line 2, column 5"),
        ("a: b: c", "mapping values are not allowed"),
        ("a: \x01", "not valid YAML"),
        ("a: 2020-13-45", "cannot read"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("args: [{{output}}/x]", "did not find"),
        ("a: {{output}}", "has to stand in quotes"),
    ],
)
def test_bad_yaml_is_explained(text: str, why: str) -> None:
    with pytest.raises(InvalidSpec, match=why):
        load(text)


def test_a_key_without_a_value_is_an_empty_map() -> None:
    assert mapping("default-values:\n", "default-values") == {}
    assert mapping("", "default-values") == {}


def test_a_key_with_another_value_than_a_map_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="default-values: should be a map .* not a list"):
        mapping("default-values: [1]", "default-values")
