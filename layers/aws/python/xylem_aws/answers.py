"""`Answers` on DynamoDB: a conditional row each, which goes by itself (TTL)."""

from datetime import datetime

from pynamodb.exceptions import DeleteError, DoesNotExist, PutError

from xylem.domain.errors import Conflict
from xylem.domain.idempotency import KEPT_FOR, WORKED_ON_FOR
from xylem.domain.ids import UserName
from xylem.ports.answers import Answer, Begun
from xylem_aws.envelopes import Envelopes
from xylem_aws.tables.answers import AnswerRow, answer_key
from xylem_aws.tables.binding import bind
from xylem_aws.tables.workflows import WorkflowsTable
from xylem_aws.transaction import in_our_words, refused

TRIES = 3
"""What refused a claim may be gone when it is read: then it is free again."""


class DynamoAnswers:
    def __init__(self, region: str, table: str, envelopes: Envelopes) -> None:
        bind(WorkflowsTable, table=table, region=region)
        self._envelopes = envelopes

    def begin(
        self, user: UserName, key: str, *, request: str, claim: str, now: datetime
    ) -> Begun | None:
        place, at = answer_key(user, key), now.timestamp()
        row = AnswerRow(
            *place,
            request=request,
            claim=claim,
            worked_until=at + WORKED_ON_FOR.total_seconds(),
            expires_at=_expires(now),
        )
        free = (
            AnswerRow.pk.does_not_exist()
            | (AnswerRow.expires_at <= at)
            | (AnswerRow.sealed.does_not_exist() & (AnswerRow.worked_until <= at))
            | (AnswerRow.claim == claim)  # our own, whose answer was lost
        )
        with in_our_words(_of(user)):
            for _ in range(TRIES):
                try:
                    row.save(condition=free)
                except PutError as error:
                    if not refused(error):
                        raise
                else:
                    return None
                try:
                    return self._begun(AnswerRow.get(*place, consistent_read=True))
                except DoesNotExist:
                    continue
        raise Conflict(f"{_of(user)}: others were faster {TRIES} times; send it again")

    def keep(
        self, user: UserName, key: str, answer: Answer, *, request: str, claim: str, now: datetime
    ) -> None:
        place = answer_key(user, key)
        sealed, by = self._envelopes.seal(answer.body, _context(place))
        row = AnswerRow(
            *place,
            request=request,
            claim=claim,
            worked_until=now.timestamp(),
            status=answer.status,
            content_type=answer.content_type,
            sealed=sealed,
            sealed_by=by,
            expires_at=_expires(now),
        )
        with in_our_words(_of(user)):
            try:
                row.save(condition=AnswerRow.claim == claim)
            except PutError as error:
                if not refused(error):
                    raise

    def forget(self, user: UserName, key: str, *, claim: str) -> None:
        with in_our_words(_of(user)):
            try:
                AnswerRow(*answer_key(user, key)).delete(condition=AnswerRow.claim == claim)
            except DeleteError as error:
                if not refused(error):
                    raise

    def _begun(self, row: AnswerRow) -> Begun:
        if row.sealed is None or row.sealed_by is None:
            return Begun(row.request)
        body = self._envelopes.open(row.sealed, row.sealed_by, _context((row.pk, row.sk)))
        return Begun(row.request, Answer(int(row.status), row.content_type or "", body))


def _expires(now: datetime) -> int:
    return int((now + KEPT_FOR).timestamp())


def _context(place: tuple[str, str]) -> dict[str, str]:
    return {"answer_of": place[0]}


def _of(user: UserName) -> str:
    return f"requests of {user}"
