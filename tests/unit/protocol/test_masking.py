"""What a task prints, without the secrets that it was given: in which forms, and wherever."""

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.proofs import masking as proof
from xylem.protocol.masking import LEAST_CHARS, MASK, SHOWN_BYTES, Masked, Masker, forms, maskable
from xylem.protocol.spool import Record, Stream, decode, encode

SECRET = "p&ss/w+rd <ü>"
PLAIN = "hunter2-marlin"


def said(*texts: bytes | str, stream: Stream = Stream.STDOUT) -> bytes:
    return b"".join(
        encode(Record(stream, 0, text.encode() if isinstance(text, str) else text))
        for text in texts
    )


def shown(found: Masked, stream: Stream = Stream.STDOUT) -> bytes:
    return b"".join(one.data for one in decode(found.body) if one.stream is stream)


def masked(text: bytes | str, secret: str = SECRET) -> bytes:
    return shown(Masker([secret]).mask(said(text), release=True))


# Forms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(SECRET)[1:-1].replace("/", "\\/"),
        json.dumps(SECRET)[1:-1]
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026"),
    ],
)
def test_a_secret_is_masked_in_each_of_its_forms(form: str) -> None:
    assert masked(f"before {form} after") == b"before [MASKED] after"


@pytest.mark.parametrize("encode_it", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"1", b"12", b"123"])
@pytest.mark.parametrize("after", [b"", b"1", b"12"])
def test_in_base64_it_is_masked_wherever_it_stands(
    encode_it: Callable[[bytes], bytes], before: bytes, after: bytes
) -> None:
    found = masked(encode_it(before + SECRET.encode() + after))

    assert MASK in found
    assert len(found) <= len(MASK) + len(base64.b64encode(before + after)) + 4


def test_a_secret_without_special_characters_has_few_forms() -> None:
    assert len(forms("abcdefgh")) == 4, "itself, and three alignments"


@pytest.mark.parametrize(
    ("secret", "is_masked"), [("1234567", False), ("12345678", True), (" 1234567\n", False)]
)
def test_a_short_secret_is_not_looked_for(secret: str, is_masked: bool) -> None:
    assert maskable(secret) is is_masked
    assert (masked("a 12345678 b", secret) == b"a [MASKED] b") is is_masked


def test_the_mask_is_no_longer_than_the_shortest_form() -> None:
    assert min(map(len, forms("x" * LEAST_CHARS))) >= len(MASK)


def test_white_space_around_a_secret_is_not_part_of_it() -> None:
    assert masked(f"<{PLAIN}>", f"{PLAIN}\n") == b"<[MASKED]>"


def test_secrets_that_overlap_are_masked_together() -> None:
    found = Masker(["abcdefgh", "efghijkl"]).mask(said("<abcdefghijkl>"), release=True)

    assert shown(found) == b"<[MASKED]>"


def test_secrets_side_by_side_are_two_masks() -> None:
    assert masked(PLAIN * 2, PLAIN) == MASK * 2


def test_without_a_secret_records_are_passed_on_as_they_are() -> None:
    raw = said("a", b"\xff\0", "", "b")

    assert Masker([]).mask(raw) == Masked(raw, len(raw), {})
    assert Masker([SECRET]).mask(raw) == Masked(raw, len(raw), {})


# Borders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_a_secret_over_two_records_is_masked_where_it_begins(cut: int) -> None:
    raw = said(f"a {PLAIN[:cut]}", f"{PLAIN[cut:]} b")

    found = [one.data for one in decode(Masker([PLAIN]).mask(raw).body)]

    assert found == [b"a [MASKED]", b" b"]


def test_streams_are_read_apart() -> None:
    between = said("error", stream=Stream.STDERR)
    raw = said(PLAIN[:4]) + between + said(PLAIN[4:])

    found = Masker([PLAIN]).mask(raw)

    assert (shown(found), shown(found, Stream.STDERR)) == (MASK, b"error")
    assert found.length == len(raw)


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_what_may_be_the_beginning_of_a_secret_is_kept_back_and_all_behind_it(cut: int) -> None:
    first, open_end = said("line\n"), said(f"x{PLAIN[:cut]}")
    behind = said("error", stream=Stream.STDERR)

    found = Masker([PLAIN]).mask(first + open_end + behind)

    assert found == Masked(first, len(first), {})


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_the_next_batch_needs_to_know_nothing_of_the_one_before(cut: int) -> None:
    raw = said("line\n", f"x{PLAIN[:cut]}", f"{PLAIN[cut:]}y")
    known = len(said("line\n", f"x{PLAIN[:cut]}"))

    first = Masker([PLAIN]).mask(raw[:known])
    second = Masker([PLAIN]).mask(raw[first.length :])

    assert shown(first) + shown(second) == b"line\nx[MASKED]y"
    assert first.length + second.length == len(raw)


def test_a_secret_is_not_cut_where_another_stream_is_kept_back() -> None:
    stdout_begins, stdout_ends = said(PLAIN[:4]), said(PLAIN[4:])
    stderr_open = said(PLAIN[:3], stream=Stream.STDERR)

    found = Masker([PLAIN]).mask(stdout_begins + stderr_open + stdout_ends)

    assert found == Masked(b"", 0, {})


def test_what_turned_out_to_be_no_secret_is_shown() -> None:
    raw = said(PLAIN[:9], "no secret")

    assert shown(Masker([PLAIN]).mask(raw)) == PLAIN[:9].encode() + b"no secret"


# An end to waiting -------------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(1, len(PLAIN)))
def test_at_an_end_a_few_characters_of_a_secret_are_shown_and_more_are_masked(length: int) -> None:
    found = Masker([PLAIN]).mask(said(f"x{PLAIN[:length]}"), release=True)

    expected = PLAIN[:length].encode() if length <= SHOWN_BYTES else MASK
    assert shown(found) == b"x" + expected


@pytest.mark.parametrize("length", range(1, len(PLAIN)))
def test_the_rest_of_a_secret_that_was_released_is_masked(length: int) -> None:
    masker = Masker([PLAIN])
    first = masker.mask(said(PLAIN[:length]), release=True)
    silence = masker.mask(said("error", stream=Stream.STDERR), before=first.open)

    second = masker.mask(said(f"{PLAIN[length:]} b"), before=silence.open)

    assert shown(second) == MASK + b" b"


def test_what_lies_whole_in_a_batch_is_masked_without_keeping_anything_back() -> None:
    raw = said(f"a {PLAIN} b {PLAIN[:9]}")

    found = Masker([PLAIN]).complete(raw)

    assert [one.data for one in decode(found)] == [b"a [MASKED] b " + PLAIN[:9].encode()]


# All of it ---------------------------------------------------------------------------------------


def test_nothing_leaks_in_three_hundred_random_cases() -> None:
    assert [found for seed in range(300) if (found := proof.case(seed))] == []


def test_a_proof_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert proof.main(["--cases", "20"], tmp_path) == 0
    first = [path.read_text() for path in tmp_path.iterdir()]
    assert proof.main(["--cases", "20"], tmp_path) == 0

    assert [path.read_text() for path in tmp_path.iterdir()] == first
    assert json.loads(capsys.readouterr().out.split("}\n")[0] + "}")["leaks"] == []


@pytest.mark.parametrize("form", proof.FORMS)
def test_the_proof_notices_a_secret_that_gets_through(form: str) -> None:
    dice = random.Random(form)
    printed = proof.FORMS[form](SECRET, dice)

    assert proof.leaks([SECRET], said("x ", printed, " y"))
