"""One request that is sent several times under one key is one request.

The words are those of the IETF's draft (datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-
key-header): a key is its caller's own, for 24 hours; who comes again with the same request hears
the same answer; another request under the key is refused, and one that comes while the first is
being worked on waits for it, for a while.
"""

import hashlib
from datetime import timedelta

from xylem.domain.errors import InvalidRequest, KeyReused

KEY_CHARS = 128
KEPT_FOR = timedelta(hours=24)

WORKED_ON_FOR = timedelta(seconds=40)
"""API Gateway gives up after 30 s, and so does the function behind it
(docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html): who has not answered by
then never will."""


def require_key(key: str) -> None:
    """Raises `InvalidRequest`."""
    if not 0 < len(key) <= KEY_CHARS:
        raise InvalidRequest(
            f"Idempotency-Key: {len(key)} characters; send one to {KEY_CHARS}, such as a uuid."
        )


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> str:
    """Of a request, as it came: a retry is the same to the byte."""
    whole = hashlib.sha256()
    for part in (method.encode(), path.encode(), query, body):
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def require_same(first: str, request: str) -> None:
    """Both are fingerprints; that of a first one from before they were kept is empty. Raises
    `KeyReused`."""
    if first and first != request:
        raise KeyReused(
            "Idempotency-Key: another request was sent under this key, of another path, query or "
            "body. Send this one under a new key; one key is for one request and its retries."
        )
