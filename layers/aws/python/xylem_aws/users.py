"""`Identity` on DynamoDB: a user with his tokens is a partition; lists are rows of their own,
written with what they show."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from pynamodb.exceptions import PutError

from xylem.domain.identity import AccessToken, Profile, User, UserRole
from xylem.domain.ids import UserName
from xylem.ports.stored import Stored
from xylem_aws.tables.binding import bind
from xylem_aws.tables.identity import (
    PROFILE,
    SIGNED_OUT,
    TOKEN,
    USER,
    USERS,
    DigestRow,
    HolderRow,
    IdentityTable,
    ProfileRow,
    SignedOutRow,
    TokenRow,
    UserEntryRow,
    UserRow,
    digest_key,
    role_key,
    token_key,
    user_key,
)
from xylem_aws.transaction import Transaction, in_our_words, refused

Row = TypeVar("Row", bound=IdentityTable)


class DynamoIdentity:
    def __init__(self, region: str, table: str) -> None:
        self._connection = bind(IdentityTable, table=table, region=region)

    def user(self, id: UserName) -> Stored[User] | None:
        with in_our_words(_of(id)):
            row = _one(UserRow, user_key(id), USER)
        if row is None:
            return None
        user = User(id, row.created_at, UserName(row.created_by), row.roles)
        return Stored(user, int(row.version))

    def users(self, prefix: str = "") -> list[User]:
        begins = UserEntryRow.sk.startswith(prefix) if prefix else None
        with in_our_words("users"):
            found = UserEntryRow.query(USERS, begins, consistent_read=True)
            return [
                User(UserName(row.sk), row.created_at, UserName(row.created_by)) for row in found
            ]

    def having(self, role: str) -> list[tuple[UserName, UserRole]]:
        with in_our_words("users"):
            found = HolderRow.query(role_key(role), consistent_read=True)
            return [
                (UserName(row.sk), UserRole(role, UserName(row.assigned_by), row.assigned_at))
                for row in found
            ]

    def tokens(self, user: UserName) -> list[AccessToken]:
        with in_our_words(_of(user)):
            found = TokenRow.query(
                user_key(user), TokenRow.sk.startswith(TOKEN), consistent_read=True
            )
            return [_token(user, row) for row in found]

    def token(self, digest: str) -> AccessToken | None:
        with in_our_words("tokens"):
            named = _one(DigestRow, *digest_key(digest))
            if named is None:
                return None
            user = UserName(named.user)
            row = _one(TokenRow, user_key(user), token_key(named.name))
        return _token(user, row) if row is not None else None

    def save(
        self,
        before: Stored[User] | None,
        after: User | None,
        *,
        tokens: Sequence[AccessToken] = (),
        dropped: Sequence[AccessToken] = (),
    ) -> None:
        id = after.id if after is not None else before.value.id if before is not None else None
        assert id is not None
        transaction = Transaction(self._connection, of=_of(id))
        unchanged = (
            UserRow.pk.does_not_exist() if before is None else UserRow.version == before.version
        )
        version = 1 if before is None else before.version + 1
        entry = UserEntryRow(USERS, id)
        if after is None:
            transaction.delete(UserRow(user_key(id), USER), unchanged)
            transaction.delete(entry)
        else:
            transaction.put(_user_row(after, version), unchanged)
            if before is None:
                entry.created_at, entry.created_by = after.created_at, after.created_by
                transaction.put(entry)
        had = {one.role: one for one in before.value.roles} if before is not None else {}
        has = {one.role: one for one in after.roles} if after is not None else {}
        for role in had.keys() - has.keys():
            transaction.delete(HolderRow(role_key(role), id))
        for role in has.keys() - had.keys():
            transaction.put(_holder_row(id, has[role]))
        for token in dropped:
            transaction.delete(TokenRow(user_key(id), token_key(token.name)))
            transaction.delete(DigestRow(*digest_key(token.digest)))
        for token in tokens:
            transaction.put(_token_row(token))
            transaction.put(DigestRow(*digest_key(token.digest), user=id, name=token.name))
        transaction.commit()

    def profile(self, user: UserName) -> Profile:
        with in_our_words(_of(user)):
            row = _one(ProfileRow, user_key(user), PROFILE)
        if row is None:
            return Profile()
        return Profile(row.email_notification, row.slack_notification, row.pool)

    def keep_profile(self, user: UserName, profile: Profile) -> None:
        with in_our_words(_of(user)):
            ProfileRow(
                user_key(user),
                PROFILE,
                email_notification=profile.email_notification,
                slack_notification=profile.slack_notification,
                pool=profile.pool,
            ).save()

    def forget_profile(self, user: UserName) -> None:
        with in_our_words(_of(user)):
            ProfileRow(user_key(user), PROFILE).delete()

    def signed_out(self, user: UserName) -> datetime | None:
        with in_our_words(_of(user)):
            row = _one(SignedOutRow, user_key(user), SIGNED_OUT)
        return row.at if row is not None else None

    def sign_out(self, user: UserName, at: datetime) -> None:
        row = SignedOutRow(user_key(user), SIGNED_OUT, at=at)
        with in_our_words(_of(user)):
            try:
                row.save(SignedOutRow.pk.does_not_exist() | (SignedOutRow.at < at))
            except PutError as error:
                if not refused(error):  # a later one is there
                    raise


def _one(rows: type[Row], pk: str, sk: str) -> Row | None:
    """By a query: who may get an item of this table may get a sealed secret, and only the Worker
    has to."""
    return next(iter(rows.query(pk, rows.sk == sk, consistent_read=True, limit=1)), None)


def _user_row(user: User, version: int) -> UserRow:
    return UserRow(
        user_key(user.id),
        USER,
        version=version,
        created_at=user.created_at,
        created_by=user.created_by,
        roles=user.roles,
    )


def _holder_row(user: UserName, role: UserRole) -> HolderRow:
    return HolderRow(
        role_key(role.role), user, assigned_by=role.assigned_by, assigned_at=role.assigned_at
    )


def _token_row(token: AccessToken) -> TokenRow:
    return TokenRow(
        user_key(token.user),
        token_key(token.name),
        digest=token.digest,
        expires_on=token.expires_on,
        roles=token.roles,
        description=token.description or None,
    )


def _token(user: UserName, row: TokenRow) -> AccessToken:
    return AccessToken(
        user=user,
        name=row.sk.removeprefix(TOKEN),
        digest=row.digest,
        expires_on=row.expires_on,
        roles=row.roles,
        description=row.description or "",
    )


def _of(user: UserName) -> str:
    return f"user {user}"
