"""`xylem doctor`: what is wrong between this machine and the service, and what to do about it.

Each check is made though another failed, where it can be: who mends one thing wants to know of the
next. Everything is asked once, without the patience of other commands.
"""

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx
import typer
from rich.table import Table
from rich.text import Text

from clients.cli import diagnosis
from clients.cli.diagnosis import Finding, Verdict
from clients.cli.options import FormatType, examples
from clients.cli.problems import Exit
from clients.cli.session import Session, session_of
from clients.cli.tables import table
from clients.sdk.client import Client
from clients.sdk.errors import BadInput, ClientError, ServiceError, Unauthorized, Unreachable
from clients.sdk.login import FILE, Login, current_login, token_expiry
from clients.sdk.retry import Retries
from xylem.domain.versions import read_version

app = typer.Typer(add_completion=False)

PATIENCE = httpx.Timeout(10, connect=5)
CLIENT_VERSION = "x-osmo-client-version"
_MARKS = {
    Verdict.FINE: ("✓", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.PROBLEM: ("✗", "red"),
}


@app.command(epilog=examples("xylem doctor", "xylem doctor --format-type json"))
def doctor(context: typer.Context, format_type: FormatType = None) -> None:
    """Check login, network, clock, versions and rights, and say what to do.

    Exits with 0 where nothing is a problem (a warning is none), with 2 where something is that you
    can mend, and with 10 where the service does not answer.
    """
    session = session_of(context)
    findings = list(_findings(session))
    if session.json:
        session.write_json(
            [
                {
                    "about": one.about,
                    "verdict": one.verdict.value,
                    "said": one.said,
                    "advice": one.advice,
                }
                for one in findings
            ]
        )
    else:
        session.out.print(_table(findings))
    problems = [one for one in findings if one.verdict is Verdict.PROBLEM]
    if any(one.about == "network" for one in problems):
        raise typer.Exit(Exit.SERVICE)
    if problems:
        raise typer.Exit(Exit.USER_ERROR)


def _findings(session: Session) -> Iterator[Finding]:
    yield from _files(session)
    try:
        login = current_login(session.environ)
    except (BadInput, ValueError) as error:
        yield Finding("login", Verdict.PROBLEM, str(error), "log in again: xylem login URL")
        return
    if login is None:
        advice = "xylem login URL --token-file FILE, or a stack of your own: xylem local up"
        yield Finding("login", Verdict.PROBLEM, "you are not logged in", advice)
        return
    source = "the environment" if session.environ.get("XYLEM_URL") else "the stored login"
    yield Finding("login", Verdict.FINE, f"{login.url}, of {source}")
    if login.access_token is not None or login.grant is not None:
        try:
            login = session.login()
            yield Finding("token", Verdict.FINE, "another is had when it ends")
        except Unreachable:
            pass  # told below
        except ClientError as error:
            yield Finding("token", Verdict.PROBLEM, str(error), f"xylem login {login.url}")
    with Client(
        login, transport=session.transport, retries=Retries(attempts=1), timeout=PATIENCE
    ) as client:
        yield from _of_the_service(session, login, client)


def _files(session: Session) -> Iterator[Finding]:
    folder = session.config_folder
    for path in (folder, folder / FILE):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        yield diagnosis.file_rights(str(path), mode)


def _of_the_service(session: Session, login: Login, client: Client) -> Iterator[Finding]:
    before = session.now()
    try:
        answer = client.send("GET", "/client/version")
    except Unreachable as error:
        advice = "check the address (`xylem login` shows it), name resolution, VPN and proxy"
        yield Finding("network", Verdict.PROBLEM, str(error), advice)
        return
    except Unauthorized:
        answer = None  # its authorizer stands before this route, too: the next one tells
    except ServiceError as error:
        yield Finding("network", Verdict.PROBLEM, str(error), "is this address a Xylem service?")
        return
    after = session.now()
    took = (after - before).total_seconds()
    yield Finding("network", Verdict.FINE, f"{login.url} answers in {took:.2f} s")
    if answer is not None:
        yield diagnosis.clock(_date(answer), before, after)
        yield _version(answer)
    yield from _supported(client)
    ends = token_expiry(login.token) if login.token else None
    if login.token and login.access_token is None and login.grant is None:
        yield diagnosis.token(ends, session.now())
    try:
        profile = client.profile.get()
    except Unauthorized as error:
        yield Finding("rights", Verdict.PROBLEM, str(error), "log in again: xylem login URL")
        return
    except ClientError as error:
        yield Finding("rights", Verdict.WARNING, str(error), "try again in a moment")
        return
    if profile.token and profile.token.expires_at and ends is None:
        yield diagnosis.token(profile.token.expires_at, session.now())
    yield diagnosis.rights(profile, login.pool)


def _date(answer: httpx.Response) -> datetime | None:
    """When the service says that it answered."""
    try:
        return parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return None


def _version(answer: httpx.Response) -> Finding:
    try:
        body = answer.json()
        found = read_version(".".join(str(body[key]) for key in ("major", "minor", "revision")))
    except (ValueError, KeyError, TypeError):
        found = None
    if found is None:
        advice = "is this address a Xylem service?"
        return Finding("version", Verdict.PROBLEM, "the service does not say which it is", advice)
    return diagnosis.versions(found)


def _supported(client: Client) -> Iterator[Finding]:
    """What an administrator says of clients as old as this one."""
    try:
        client.send("GET", "/api/version", headers={CLIENT_VERSION: str(diagnosis.API)})
    except Unauthorized:
        return
    except ServiceError as error:
        if error.status == 400:
            yield Finding("support", Verdict.PROBLEM, str(error), "update this client")


def _table(findings: list[Finding]) -> Table:
    shown = table("", "check", "found", "what to do")
    for one in findings:
        mark, style = _MARKS[one.verdict]
        shown.add_row(Text(mark, style=style), one.about, one.said, one.advice)
    return shown
