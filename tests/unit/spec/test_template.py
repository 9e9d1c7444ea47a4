import pytest

from xylem.domain.errors import InvalidSpec, TooLarge
from xylem.sandbox import Limits
from xylem.spec.jinja import rendered_here, rendered_in_child
from xylem.spec.rendered import TemplateFault, Variables
from xylem.spec.template import render

QUICK = Limits(cpu_seconds=0.1)


def rendered(workflow: str, **parameters: list[str]) -> str:
    return render(f"workflow: {workflow}\n", renderer=rendered_here, **parameters).strip()


def test_variables_come_from_default_values() -> None:
    text = "workflow:\n  name: {{ n }}\ndefault-values:\n  n: hello\n"

    assert render(text, renderer=rendered_here) == "workflow:\n  name: hello"


def test_set_wins_over_default_values_and_set_string_over_set() -> None:
    text = "workflow: {{ a }} {{ b }} {{ c }}\ndefault-values: {a: 1, b: 1, c: 1}\n"

    out = render(
        text,
        set_variables=["b=2", "c=2"],
        set_string_variables=["c=3"],
        renderer=rendered_here,
    )

    assert out.strip() == "workflow: 1 2 3"


@pytest.mark.parametrize(
    ("given", "value"), [("007", "7"), ("1_000", "1000"), ("1.50", "1.5"), ("a=b", "a=b")]
)
def test_a_set_value_is_a_whole_number_a_number_or_text(given: str, value: str) -> None:
    assert rendered("{{ v }}", set_variables=[f"v={given}"]) == f"workflow: {value}"


def test_a_set_string_value_stays_text() -> None:
    assert rendered("{{ v }}", set_string_variables=["v=007"]) == "workflow: 007"


@pytest.mark.parametrize("given", ["n", "", "=1"])
def test_a_variable_without_a_name_or_a_value_is_refused(given: str) -> None:
    with pytest.raises(InvalidSpec, match="write NAME=VALUE") as refused:
        rendered("x", set_variables=[given])

    assert refused.value.code == "USAGE"


@pytest.mark.parametrize(
    "token", ["workflow_id", "output", "uuid", "input:0", "input:a-b_c", "host:server"]
)
def test_special_tokens_survive_the_template(token: str) -> None:
    assert rendered(f"{{{{ 1 + 1 }}}} {{{{{token}}}}}") == f"workflow: 2 {{{{{token}}}}}"


def test_special_tokens_survive_with_inner_spaces_too() -> None:
    assert (
        rendered("{{ 1 + 1 }} {{ output }} {{ input:0 }}") == "workflow: 2 {{output}} {{input:0}}"
    )


def test_a_token_cannot_be_set() -> None:
    assert rendered("{{output}}{{ 1 }}", set_variables=["output=x"]) == "workflow: {{output}}1"


def test_a_variable_with_a_tokens_name_is_what_the_spaced_form_means() -> None:
    assert rendered("{{ output }}", set_variables=["output=x"]) == "workflow: x"


def test_tokens_within_an_expression_survive() -> None:
    assert rendered('{{ "{{output}}/x" }}') == "workflow: {{output}}/x"


def test_lengths_in_shell_scripts_are_left_alone() -> None:
    assert rendered("echo ${#x[@]} {{ n }}", set_variables=["n=1"]) == "workflow: echo ${#x[@]} 1"


def test_a_comment_is_still_a_comment() -> None:
    assert rendered("a{# not this #}b") == "workflow: ab"


def test_text_without_a_template_is_not_rendered() -> None:
    def never(template: str, variables: Variables) -> str:
        raise AssertionError("rendered")

    text = "# licence\nworkflow:\n  args: [echo, '{{output}} ${#x} {a}']\n"

    assert render(text, renderer=never).strip() == text.removeprefix("# licence\n").strip()


def test_an_undefined_variable_is_named_with_its_line_and_a_way_out() -> None:
    with pytest.raises(InvalidSpec, match=r"line 3: 'n' is undefined. Give it a value") as refused:
        render("# licence\nworkflow:\n  name: {{ n }}\n", renderer=rendered_here)

    assert refused.value.code == "USAGE"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ 1 +", "line 1: unexpected"),
        ("{% for %}", "line 1"),
        ("{{ 1 / 0 }}", "line 1: ZeroDivisionError"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ range(10 ** 9) | list }}", "OverflowError"),
        ("{% include 'x' %}", "line 1: TypeError: no loader"),
    ],
)
def test_a_template_that_fails_says_where_and_why(template: str, why: str) -> None:
    with pytest.raises(TemplateFault, match=why):
        rendered_here(template, {})


def test_the_child_renders_as_this_process_does() -> None:
    template = "{% for i in range(n) %}ä{{ i }} {% endfor %}"

    assert rendered_in_child(template, {"n": 3}) == rendered_here(template, {"n": 3})


def test_what_fails_in_the_child_fails_here_with_the_same_words() -> None:
    with pytest.raises(TemplateFault, match="line 2: 'n' is undefined"):
        rendered_in_child("\n{{ n }}", {})


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** 99999999 }}",
    ],
)
def test_a_template_that_never_ends_is_ended(template: str) -> None:
    with pytest.raises(TemplateFault, match="longer than 0.1 s"):
        rendered_in_child(template, {}, limits=QUICK)


def test_a_template_that_wants_all_memory_gets_an_answer() -> None:
    with pytest.raises(TemplateFault, match="more than 100 MiB of memory"):
        rendered_in_child("{{ 'x' * 10 ** 10 }}", {})


def test_a_template_that_writes_more_than_a_spec_may_be_is_refused() -> None:
    with pytest.raises(TemplateFault, match="more than 4 MiB"):
        rendered_in_child("{{ 'x' * 5000000 }}", {})


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(TemplateFault, match="surrogate"):
        rendered_in_child('{{ "\\ud800" }}', {})


def test_what_a_renderer_returns_is_held_to_the_size_of_a_spec() -> None:
    with pytest.raises(TooLarge, match="The rendered spec"):
        rendered("{{ 'x' * 5000000 }}")


def test_a_template_cannot_make_up_what_was_hidden() -> None:
    assert rendered('{{ "\\x007\\x00" }}') == "workflow: \x007\x00"
