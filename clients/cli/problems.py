"""How a failure ends: its words, its advice, its exit code. The table is the whole interface.

| code | meaning |
|---|---|
| 0 | done |
| 1 | the workflow failed, or the service refused the submission |
| 2 | something the user can mend: options, files, login, rights |
| 10 | the service did not answer, or failed itself |
| 130 | interrupted (Ctrl-C): 128 and the number of SIGINT, as shells count |

They are OSMO's, but for two: it has 75 for 429, which we ask again and then call a failure of the
service like any other, and 3 where a person interrupts, which no shell takes for that.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum

from clients.sdk.errors import (
    BadInput,
    ClientError,
    NotLoggedIn,
    Refused,
    ServiceError,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from clients.sdk.login import Login, is_loopback, token_expiry


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USER_ERROR = 2
    INTERRUPTED = 130
    SERVICE = 10


class SubmissionRefused(Refused):
    """The service said no to a workflow, in the words of its cause; or the same code did, without a
    service: then `problems` has each mistake by itself."""

    problems: Sequence[Mapping[str, object]] = ()


def as_client_error(problem: ClientError | OSError | UnicodeEncodeError) -> ClientError:
    """What this machine itself refuses, in the same words as everything else."""
    match problem:
        case ClientError():
            return problem
        case UnicodeEncodeError():  # bytes of the command line, kept as lone surrogates
            return BadInput("what was typed is not a text in UTF-8")
        case OSError(filename=None):
            return BadInput(f"this machine refuses: {problem.strerror or problem}")
        case _:
            return BadInput(f"{problem.filename} cannot be used: {problem.strerror}")


def exit_code(error: ClientError) -> Exit:
    match error:
        case SubmissionRefused():
            return Exit.FAILED
        case Unreachable() | Unavailable():
            return Exit.SERVICE
        case _:
            return Exit.USER_ERROR


def advice(error: ClientError, *, login: Login | None, now: datetime) -> str | None:
    """What to do next; None where the message says it."""
    local = login is not None and is_loopback(login.url)
    match error:
        case NotLoggedIn():
            return (
                "Log in with `xylem login URL --token-file FILE`, or try Xylem on this machine"
                " with `xylem local up`."
            )
        case Unauthorized():
            return _renew(login, now)
        case Unreachable() if local:
            return "Is the local stack up? See `xylem local status`, start it: `xylem local up`."
        case Unreachable():
            return "Check the address (`xylem login` shows it) and the network, then try again."
        case Unavailable() if local:
            return "Look for the reason with `xylem local logs core-service`, or try again."
        case Unavailable():
            return "Try again in a moment; nothing is done twice."
        case _:
            return None


def _renew(login: Login | None, now: datetime) -> str:
    if login is not None and is_loopback(login.url):
        return "`xylem local up` signs a new login for the local stack."
    ends = token_expiry(login.token) if login and login.token else None
    if ends is not None and ends <= now:
        return (
            f"Your token ended at {ends:%Y-%m-%d %H:%M} UTC. Ask an administrator for another"
            " (`xylem token mint`), then `xylem login URL --token-file FILE`."
        )
    return "Ask an administrator for a token with the role that this needs (`xylem token mint`)."


def as_json(error: ClientError) -> dict[str, object]:
    status = error.status if isinstance(error, ServiceError) else int(exit_code(error))
    code = error.code if isinstance(error, ServiceError) else None
    told: dict[str, object] = {"message": str(error), "code": status, "error_code": code}
    if isinstance(error, SubmissionRefused) and error.problems:
        told["problems"] = list(error.problems)
    return told
