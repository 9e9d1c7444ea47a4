import json

import pytest

from clients.local.embedded_aws.seams import Seam, WrongMinistack, check


@pytest.mark.parametrize(
    ("seam", "difference"),
    [
        (Seam("json", "JSONDecoder"), None),
        (Seam("json", "JSONDecoder.decode", ("self", "s", "_w")), None),
        (Seam("json.decoder", "py_scanstring", ("s", "end")), "takes"),
        (Seam("json", "gone"), "json.gone is missing"),
        (Seam("no_such_module", "x"), "no_such_module.x is missing"),
    ],
)
def test_a_seam_that_moved_is_told(seam: Seam, difference: str | None) -> None:
    found = seam.difference()

    assert found is None if difference is None else difference in (found or "")


def test_all_differences_are_told_at_once() -> None:
    with pytest.raises(WrongMinistack, match="json.one is missing; json.two is missing"):
        check([Seam("json", "one"), Seam("json", "two")])


def test_a_replaced_function_is_found_by_its_callers() -> None:
    seam = Seam("json", "loads")
    stock = seam.get()
    try:
        seam.wrap(lambda loads: lambda text: [loads(text)])
        assert json.loads("1") == [1]
    finally:
        seam.put(stock)
