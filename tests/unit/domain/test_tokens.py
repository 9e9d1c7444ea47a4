from xylem.domain.tokens import Reference, references, substitute


def test_a_token_gets_its_value_with_and_without_inner_spaces() -> None:
    assert substitute("{{output}}/{{ output }}", {"output": "/o"}) == "/o//o"


def test_a_token_without_a_value_stays_as_it_was() -> None:
    assert substitute("{{ input:0 }} {{no}}", {"output": "/o"}) == "{{ input:0 }} {{no}}"


def test_a_value_is_not_looked_at_again() -> None:
    assert substitute("{{input:0}}", {"input:0": "{{output}}", "output": "x"}) == "{{output}}"


def test_references_are_to_inputs_and_hosts() -> None:
    text = "{{output}} {{input:0}} {{ host:a-b_c }} {{uuid}} {{host:}}"

    assert list(references(text)) == [Reference("input", "0"), Reference("host", "a-b_c")]
