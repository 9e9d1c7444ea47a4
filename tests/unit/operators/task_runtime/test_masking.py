"""An end that may be the beginning of a secret is waited for, and not for ever."""

from operators.task_runtime.masking import HOLD_SECONDS, Outgoing
from xylem.protocol.masking import Masked
from xylem.protocol.spool import Record, Stream, decode, encode

SECRET = "hunter2-marlin"
FULL = 1_000


def said(text: str, stream: Stream = Stream.STDOUT) -> bytes:
    return encode(Record(stream, 0, text.encode()))


def shown(found: Masked | None) -> bytes:
    assert found is not None
    return b"".join(one.data for one in decode(found.body))


def an_outgoing() -> Outgoing:
    return Outgoing([SECRET], full=FULL)


def test_an_undecided_end_is_kept_back_for_two_seconds_and_what_lies_before_it_is_sent() -> None:
    outgoing, line, begun = an_outgoing(), said("line\n"), said("Password? h")

    assert shown(outgoing.take(0, line + begun, last=False, now=0)) == b"line\n"
    assert outgoing.take(len(line), begun, last=False, now=1) is None
    assert outgoing.take(len(line), begun, last=False, now=1 + HOLD_SECONDS * 0.9) is None
    found = outgoing.take(len(line), begun, last=False, now=1 + HOLD_SECONDS)
    assert shown(found) == b"Password? h"


def test_the_wait_begins_anew_for_another_end() -> None:
    outgoing, begun = an_outgoing(), said("hunter")
    assert outgoing.take(0, begun, last=False, now=0) is None
    assert shown(outgoing.take(0, begun + said("s\nx\n"), last=False, now=1)) == b"hunters\nx\n"

    assert outgoing.take(100, begun, last=False, now=HOLD_SECONDS) is None


def test_what_follows_a_released_beginning_is_masked_also_when_it_is_sent_again() -> None:
    outgoing, begun, rest = an_outgoing(), said("hun"), said("ter2-marlin!")
    outgoing.take(0, begun, last=False, now=0)
    outgoing.take(0, begun, last=False, now=HOLD_SECONDS)

    for _ in ("asked", "asked again"):
        assert shown(outgoing.take(len(begun), rest, last=False, now=9)) == b"[MASKED]!"


def test_an_answer_that_was_lost_is_no_reason_to_forget_what_was_open() -> None:
    """The batch was stored as it was sent first; a longer one was tried after it."""
    outgoing, begun, rest = an_outgoing(), said("hun"), said("ter2-marlin!")
    outgoing.take(0, begun, last=False, now=0)
    outgoing.take(0, begun, last=False, now=HOLD_SECONDS)
    outgoing.take(0, begun + rest + said("x"), last=False, now=9)

    assert shown(outgoing.take(len(begun), rest, last=False, now=10)) == b"[MASKED]!"


def test_a_full_batch_is_not_waited_for() -> None:
    raw = said("h") + said("x" * FULL, Stream.STDERR)

    found = an_outgoing().take(0, raw, last=False, now=0)

    assert found is not None
    assert found.length == len(raw)


def test_the_end_of_the_spool_is_not_waited_for() -> None:
    assert shown(an_outgoing().take(0, said("hunter2-marli"), last=True, now=0)) == b"[MASKED]"


def test_a_token_that_was_renewed_is_a_secret_too_and_the_one_before_still_is() -> None:
    outgoing = an_outgoing()
    outgoing.also("token-of-one-hour")
    outgoing.also("token-of-the-next")

    found = outgoing.take(
        0, said(f"token-of-one-hour token-of-the-next {SECRET}\n"), last=True, now=0
    )

    assert shown(found) == b"[MASKED] [MASKED] [MASKED]\n"
