"""`Credentials` on DynamoDB: a row each, in the partition of whose they are."""

import json
from datetime import datetime

from pynamodb.exceptions import DoesNotExist

from xylem.domain.credential import Credential, CredentialKind, KnownCredential
from xylem.domain.ids import UserName
from xylem_aws.envelopes import Envelopes
from xylem_aws.tables.binding import bind
from xylem_aws.tables.identity import (
    CREDENTIAL,
    CredentialRow,
    IdentityTable,
    credential_key,
    user_key,
)
from xylem_aws.transaction import Transaction, in_our_words

SHOWN = ["pk", "sk", "kind", "profile", "keys"]


class DynamoCredentials:
    def __init__(self, region: str, table: str, envelopes: Envelopes) -> None:
        self._connection = bind(IdentityTable, table=table, region=region)
        self._envelopes = envelopes

    def all(self, user: UserName) -> list[KnownCredential]:
        with in_our_words(_of(user)):
            found = CredentialRow.query(
                user_key(user),
                CredentialRow.sk.startswith(CREDENTIAL),
                consistent_read=True,
                attributes_to_get=SHOWN,
            )
            return [_known(row) for row in found]

    def open(self, user: UserName, name: str) -> Credential | None:
        with in_our_words(_of(user)):
            try:
                row = CredentialRow.get(user_key(user), credential_key(name), consistent_read=True)
            except DoesNotExist:
                return None
        payload = self._envelopes.open(row.sealed, row.sealed_by, _context(user, name))
        known = _known(row)
        return Credential(name, known.kind, known.profile, json.loads(payload))

    def put(
        self, user: UserName, credential: Credential, *, replacing: str | None, now: datetime
    ) -> None:
        payload = json.dumps(dict(credential.payload), separators=(",", ":")).encode()
        sealed, key = self._envelopes.seal(payload, _context(user, credential.name))
        known = credential.known
        row = CredentialRow(
            user_key(user),
            credential_key(credential.name),
            kind=known.kind.value,
            profile=known.profile,
            keys=known.keys,
            sealed=sealed,
            sealed_by=key,
            set_at=now,
        )
        same = replacing == credential.name
        transaction = Transaction(self._connection, of=_of(user))
        transaction.put(
            row, CredentialRow.pk.exists() if same else CredentialRow.pk.does_not_exist()
        )
        if replacing is not None and not same:
            old = CredentialRow(user_key(user), credential_key(replacing))
            transaction.delete(old, CredentialRow.pk.exists())
        transaction.commit()

    def delete(self, user: UserName, name: str) -> None:
        with in_our_words(_of(user)):
            CredentialRow(user_key(user), credential_key(name)).delete()


def _context(user: UserName, name: str) -> dict[str, str]:
    return {"user": user, "credential": name}


def _known(row: CredentialRow) -> KnownCredential:
    name = row.sk.removeprefix(CREDENTIAL)
    return KnownCredential(name, CredentialKind(row.kind), row.profile, tuple(row.keys))


def _of(user: UserName) -> str:
    return f"credentials of {user}"
