"""What can be wrong between this machine and the service, each found by itself: what was seen in,
a finding out. Nothing here looks at anything; `commands/doctor` does.
"""

import stat
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from clients.sdk.profile import Profile
from xylem.domain.versions import Version

API = Version(6, 4, 0)
"""Of OSMO's API, which this client speaks, with what Xylem adds to it."""

SKEW = timedelta(seconds=30)
"""More than a slow answer explains: HTTP's Date counts whole seconds."""

MOST_SKEW = timedelta(minutes=5)
"""Beyond which signed URLs are refused:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"""

SOON = timedelta(days=7)


class Verdict(StrEnum):
    FINE = "fine"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice`: what to do; of what is fine there is none."""

    about: str
    verdict: Verdict
    said: str
    advice: str = ""


def file_rights(path: str, mode: int) -> Finding:
    """Of the file with the login, which nobody else may read, or of its folder, in which nobody
    else may put another."""
    folder = stat.S_ISDIR(mode)
    if not stat.S_IMODE(mode) & (0o022 if folder else 0o077):
        return Finding("files", Verdict.FINE, f"{path} is yours alone")
    return Finding(
        "files",
        Verdict.PROBLEM,
        f"{path} is open to others ({stat.filemode(mode)})",
        f"chmod {'700' if folder else '600'} {path}; if others had a look, get another token",
    )


def clock(server: datetime | None, before: datetime, after: datetime) -> Finding:
    """`before` and `after` the question: the server's moment lies between them."""
    if server is None:
        return Finding("clock", Verdict.FINE, "the service does not say what time it is")
    late = max(before.replace(microsecond=0) - server, server - after, timedelta())
    said = f"{late.total_seconds():.0f} s off the service's"
    if late <= SKEW:
        return Finding("clock", Verdict.FINE, "as the service's")
    advice = "set this machine's clock, best by NTP (timedatectl set-ntp true)"
    if late <= MOST_SKEW:
        return Finding("clock", Verdict.WARNING, said, advice)
    return Finding("clock", Verdict.PROBLEM, f"{said}: signed URLs and tokens are refused", advice)


def versions(service: Version) -> Finding:
    said = f"the service speaks {service}, this client {API}"
    if service.major != API.major:
        newer = "this client" if service > API else "the service"
        return Finding("version", Verdict.PROBLEM, said, f"update {newer}: they are too far apart")
    if service > API:
        return Finding(
            "version", Verdict.WARNING, said, "update this client: it does not know what is new"
        )
    if service < API:
        return Finding(
            "version", Verdict.WARNING, said, "what is new in this client is refused there"
        )
    return Finding("version", Verdict.FINE, said)


def token(ends: datetime | None, now: datetime) -> Finding:
    if ends is None:
        return Finding("token", Verdict.FINE, "it has no end that it tells of")
    until = f"{ends:%Y-%m-%d %H:%M} UTC"
    if ends <= now:
        return Finding(
            "token",
            Verdict.PROBLEM,
            f"it ended at {until}",
            "get another one (`xylem token set`, or an administrator), then `xylem login URL "
            "--token-file FILE`",
        )
    if ends - now <= SOON:
        return Finding(
            "token", Verdict.WARNING, f"it ends at {until}", "make the next one: xylem token set"
        )
    return Finding("token", Verdict.FINE, f"until {until}")


def rights(found: Profile, pool: str | None) -> Finding:
    """`pool`: where this machine sends workflows unless told otherwise."""
    who = f"{found.profile.username or 'somebody'} with {', '.join(found.roles) or 'no role'}"
    chosen = pool or found.profile.pool
    if not found.pools:
        return Finding(
            "pools",
            Verdict.WARNING,
            f"{who} may submit to no pool",
            "ask an administrator for a role that allows workflow:Create on one",
        )
    if chosen and chosen not in found.pools:
        return Finding(
            "pools",
            Verdict.WARNING,
            f"the default pool is {chosen}, and {who} may submit to {', '.join(found.pools)}",
            "choose one of them: xylem profile set pool NAME",
        )
    return Finding("pools", Verdict.FINE, f"{who} may submit to {', '.join(found.pools)}")
