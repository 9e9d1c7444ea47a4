"""The Logger masks what a pod let through, and opens its secrets once."""

from tests.builders import NOON, an_attempt
from xylem.memory.task_secrets import MemoryTaskSecrets
from xylem.protocol.spool import Record, Stream, decode, encode
from xylem.usecases.masks import REMEMBERED, KnownMasks

TOKEN = "token-of-the-pod"


def said(text: str) -> bytes:
    return encode(Record(Stream.STDOUT, 0, text.encode()))


def shown(records: bytes) -> bytes:
    return b"".join(record.data for record in decode(records))


def some_secrets() -> MemoryTaskSecrets:
    secrets = MemoryTaskSecrets()
    attempt = an_attempt()
    secrets.keep(attempt.group, attempt.incarnation, 1, ["hunter2-marlin"], now=NOON)
    return secrets


def test_the_groups_secrets_and_the_pods_token_are_masked() -> None:
    mask = KnownMasks().of(an_attempt(), TOKEN, some_secrets())

    assert shown(mask(said(f"a hunter2-marlin b {TOKEN} c"))) == b"a [MASKED] b [MASKED] c"


def test_they_are_opened_once_for_an_attempt_and_not_before_something_is_stored() -> None:
    secrets, known = some_secrets(), KnownMasks()

    masks = [known.of(an_attempt(), TOKEN, secrets) for _ in range(5)]
    assert secrets.reads == 0
    for mask in masks:
        mask(said("a line"))
    assert secrets.reads == 1


def test_a_retry_is_asked_for_anew_because_a_credential_may_have_changed() -> None:
    secrets, known = some_secrets(), KnownMasks()
    known.of(an_attempt(), TOKEN, secrets)(said("a line"))
    secrets.keep(an_attempt().group, 0, 2, ["another-secret"], now=NOON)

    mask = known.of(an_attempt(retry=1), TOKEN, secrets)

    assert shown(mask(said("another-secret"))) == b"[MASKED]"


def test_what_is_remembered_is_bounded_and_who_was_forgotten_is_opened_again() -> None:
    secrets, known = some_secrets(), KnownMasks()
    for retry in range(REMEMBERED + 1):
        known.of(an_attempt(retry=retry), TOKEN, secrets)(said("a line"))

    known.of(an_attempt(retry=0), TOKEN, secrets)(said("a line"))

    assert secrets.reads == REMEMBERED + 2
