"""Rows of the table `workflows` that no workflow has: answers under idempotency keys."""

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from xylem.domain.ids import UserName
from xylem_aws.tables.workflows import Key, WorkflowsTable, idempotency_key


class AnswerRow(WorkflowsTable):
    """`request`: what the key came with, hashed; `claim`: of who works on it, until `worked_until`.
    `sealed`: the answer's body, once there is one. Times are seconds since 1970; DynamoDB removes
    the row some time after `expires_at` (TTL)."""

    request = UnicodeAttribute()
    claim = UnicodeAttribute()
    worked_until = NumberAttribute()
    status = NumberAttribute(null=True)
    content_type = UnicodeAttribute(null=True)
    sealed = BinaryAttribute(null=True, legacy_encoding=False)
    sealed_by = UnicodeAttribute(null=True)
    expires_at = NumberAttribute()


def answer_key(user: UserName, key: str) -> Key:
    return idempotency_key(user, key)[0], "ANSWER"
