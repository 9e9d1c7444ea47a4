"""Which ports are forwarded where, as people write them."""

import pytest

from clients.cli.forwarding import Forward, ports_of
from clients.sdk.errors import BadInput


@pytest.mark.parametrize(
    ("text", "forwards"),
    [
        ("8080", [Forward(8080, 8080)]),
        ("8080:80", [Forward(8080, 80)]),
        ("0:80", [Forward(0, 80)]),
        ("9000-9001", [Forward(9000, 9000), Forward(9001, 9001)]),
        ("9000-9001:80-81", [Forward(9000, 80), Forward(9001, 81)]),
        ("9000:80-81", [Forward(9000, 80), Forward(9001, 81)]),
        ("0:80-81", [Forward(0, 80), Forward(0, 81)]),
        ("65535", [Forward(65535, 65535)]),
    ],
)
def test_ports_are_named_one_by_one_or_in_ranges(text: str, forwards: list[Forward]) -> None:
    assert ports_of(text) == forwards


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        "80:",
        ":80",
        "1:2:3",
        "-1",
        "0",
        "65536",
        "9000-9002:80-81",
        "81-80",
        "80-",
        "8 0",
    ],
)
def test_what_names_no_ports_is_refused_and_says_how_it_is_written(text: str) -> None:
    with pytest.raises(BadInput, match=f"--port {text}: "):
        ports_of(text)
