"""A request under an idempotency key is done once, and answered as often as it is sent.

Who begins leaves a claim; who comes second waits for its answer. Only what succeeded is kept: a
request that was refused has done nothing, and is decided afresh when it comes again. Who dies in
between leaves a claim that ends; then the request is done again, and what it would have made twice
is refused by its name, as without a key. Submissions keep their keys by themselves, in the
transaction that makes the workflow: those are made once whoever dies.
"""

from collections.abc import Callable

from xylem.domain.errors import Refused
from xylem.domain.idempotency import require_key, require_same
from xylem.domain.ids import UserName
from xylem.ports.answers import Answer, Answers
from xylem.ports.world import Clock

WAITS_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Six seconds in all: most requests take less than one."""

LARGEST_ANSWER = 200 * 1024
"""A row holds 400 KB. What is larger (a page of presigned addresses) makes nothing."""


def begin(
    user: UserName,
    key: str,
    request: str,
    *,
    claim: str,
    answers: Answers,
    clock: Clock,
    wait: Callable[[float], None],
) -> Answer | None:
    """None: it is the caller's to do. Else what it was answered before. Raises `InvalidRequest`,
    `KeyReused`; `Refused` when the first one takes too long."""
    require_key(key)
    for seconds in (*WAITS_SECONDS, None):
        begun = answers.begin(user, key, request=request, claim=claim, now=clock())
        if begun is None:
            return None
        require_same(begun.request, request)
        if begun.answer is not None:
            return begun.answer
        if seconds is not None:
            wait(seconds)
    raise Refused(
        "The first request under this Idempotency-Key is still being worked on: send it again in "
        "some seconds.",
        code="in_progress",
    )


def end(
    user: UserName,
    key: str,
    request: str,
    answer: Answer,
    *,
    claim: str,
    answers: Answers,
    clock: Clock,
) -> None:
    if answer.status < 300 and len(answer.body) <= LARGEST_ANSWER:
        answers.keep(user, key, answer, request=request, claim=claim, now=clock())
    else:
        answers.forget(user, key, claim=claim)
