"""Users, roles, tokens and profiles as a person sees them."""

from collections.abc import Iterable
from datetime import datetime

from rich.table import Table

from clients.cli.tables import facts, table
from clients.sdk.profile import Profile
from clients.sdk.tokens import AccessToken
from clients.sdk.users import GivenRole, Holder, User, UserWithRoles


def profile_view(found: Profile, *, url: str = "", until: datetime | None = None) -> Table:
    mine = found.profile
    told = [
        word
        for word, on in (("email", mine.email_notification), ("slack", mine.slack_notification))
        if on
    ]
    token = found.token
    ends = until or (token.expires_at if token else None)
    return facts(
        {
            "user": mine.username or "",
            "service": url,
            "token": token.name if token else "",
            "until": f"{ends:%Y-%m-%d %H:%M} UTC" if ends else "",
            "roles": ", ".join(found.roles) or "none",
            "pools": ", ".join(found.pools) or "none",
            "default pool": mine.pool or "none",
            "notifications": ", ".join(told) or "none",
        }
    )


def user_table(users: Iterable[User]) -> Table:
    shown = table("user", "created", "by")
    for one in users:
        shown.add_row(one.id, _day(one.created_at), one.created_by or "-")
    return shown


def user_view(user: UserWithRoles) -> Table:
    return facts(
        {
            "user": user.id,
            "created": f"{_day(user.created_at)} by {user.created_by or '-'}",
            "roles": given_table(user.roles) if user.roles else "none",
        }
    )


def given_table(roles: Iterable[GivenRole]) -> Table:
    shown = table("role", "given", "by")
    for one in roles:
        shown.add_row(one.role_name, _day(one.assigned_at), one.assigned_by)
    return shown


def holders_table(holders: Iterable[Holder]) -> Table:
    shown = table("user", "given", "by")
    for one in holders:
        shown.add_row(one.user_id, _day(one.assigned_at), one.assigned_by)
    return shown


def token_table(tokens: Iterable[AccessToken], now: datetime) -> Table:
    shown = table("token", "until", "roles", "description")
    for one in tokens:
        ended = " (ended)" if one.expires_at <= now else ""
        until = f"{one.expires_at:%Y-%m-%d}{ended}"
        shown.add_row(one.token_name, until, ", ".join(one.roles), one.description)
    return shown


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"
