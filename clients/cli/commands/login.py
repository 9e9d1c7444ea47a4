"""`xylem login`: where the service is, and who asks: by a provider's page, a code, or a secret."""

import time
import webbrowser
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clients.cli.options import LongFormatType
from clients.cli.session import Session, session_of
from clients.sdk.client import Client
from clients.sdk.errors import BadInput
from clients.sdk.login import Login, ended, is_access_token, store, token_expiry

app = typer.Typer(add_completion=False)


class Method(StrEnum):
    """OSMO's words, and one of ours."""

    PKCE = "pkce"
    CODE = "code"
    CLIENT = "client-credentials"
    TOKEN = "token"
    DEV = "dev"


@app.command()
def login(
    context: typer.Context,
    url: Annotated[str | None, typer.Argument(help="Address of the service.")] = None,
    method: Annotated[
        Method | None,
        typer.Option(
            help="pkce: in the browser (the default); code: typed in elsewhere;"
            " client-credentials: a program's own secret; token; dev: a name, at a local stack."
        ),
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="Seen by others in the list of processes; rather a file.")
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with an access token, or a signed one; - reads standard input."),
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", "--username", help="Name alone, for a local stack.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Where your workflows go by default.")] = None,
    callback_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the browser comes back to; 0: any.")
    ] = 0,
    client_id: Annotated[str | None, typer.Option(help="Of a program, at the provider.")] = None,
    client_secret_file: Annotated[
        Path | None, typer.Option(help="File with the program's secret; - reads standard input.")
    ] = None,
    scope: Annotated[str | None, typer.Option(help="What a program asks its provider for.")] = None,
    format_type: LongFormatType = None,
) -> None:
    """Log in to a service, and keep that for the commands that follow; without URL, show it."""
    session = session_of(context)
    if url is None:
        kept = session.login()
    else:
        way = method or _way(token, token_file, user, client_id)
        match way:
            case Method.PKCE | Method.CODE:
                kept = _person(session, url, way, callback_port)
            case Method.CLIENT:
                kept = _program(session, url, client_id, client_secret_file, scope)
            case Method.TOKEN | Method.DEV:
                kept = _said(session, url, _token(session, token, token_file), user)
        kept = kept.model_copy(update={"pool": pool})
        kept = session.fresh(kept) if ended(kept, session.now()) else kept
        with Client(kept, transport=session.transport) as client:
            client.pools()  # an answer shows that the address and the token are right
        store(kept, session.config_folder)
    ends = token_expiry(kept.token) if kept.token else None
    if session.json:
        session.write_json({"url": kept.url, "user": kept.user, "pool": kept.pool, "until": ends})
        return
    until = f", until {ends:%Y-%m-%d %H:%M} UTC" if ends and not _renewed(kept) else ""
    session.say(f"Logged in to {kept.url}{f' as {kept.user}' if kept.user else ''}{until}.")


def _way(token: str | None, file: Path | None, user: str | None, client_id: str | None) -> Method:
    if client_id is not None:
        return Method.CLIENT
    return Method.PKCE if (token, file, user) == (None, None, None) else Method.TOKEN


def _person(session: Session, url: str, method: Method, port: int) -> Login:
    """Raises `ClientError`."""
    from clients.sdk import oidc  # noqa: PLC0415 - a login by token needs no web server

    provider = oidc.Provider(session.transport)
    info = provider.info(url)
    if method is Method.CODE:
        given = oidc.device(info, provider, tell=_telling(session), sleep=time.sleep)
    else:
        given = oidc.browser(info, provider, open_page=_opening(session), port=port)
    return Login(url=url, token=given.token, grant=given.grant)


def _opening(session: Session) -> Callable[[str], None]:
    def opened(page: str) -> None:
        session.hint(f"Log in on this page; it opens in your browser, if you have one:\n{page}")
        if "XYLEM_NO_BROWSER" not in session.environ:
            webbrowser.open(page)

    return opened


def _telling(session: Session) -> Callable[[str, str], None]:
    return lambda page, code: session.hint(f"Open {page} and type in: {code}")


def _program(
    session: Session, url: str, client: str | None, file: Path | None, scope: str | None
) -> Login:
    """Raises `ClientError`."""
    from clients.sdk import oidc  # noqa: PLC0415 - as above

    secret = session.read(file).strip() if file else session.environ.get("XYLEM_CLIENT_SECRET")
    if not client or not secret:
        raise BadInput(
            "a program logs in with --client-id ID and its secret (--client-secret-file FILE, or"
            " XYLEM_CLIENT_SECRET)"
        )
    provider = oidc.Provider(session.transport)
    given = oidc.client_credentials(
        provider.info(url), provider, client=client, secret=secret, scope=scope
    )
    return Login(url=url, token=given.token, grant=given.grant)


def _said(session: Session, url: str, token: str | None, user: str | None) -> Login:
    """Raises `BadInput`."""
    if (token is None) == (user is None):
        raise BadInput(
            "a login has either a token (--token-file FILE) or, at a local stack, a name"
            " (--user NAME)"
        )
    if token is not None and is_access_token(token):
        return Login(url=url, access_token=token)
    return Login(url=url, token=token, user=user)


def _renewed(login: Login) -> bool:
    return login.grant is not None or login.access_token is not None


def _token(session: Session, token: str | None, file: Path | None) -> str | None:
    if token is not None and file is not None:
        raise BadInput("give --token or --token-file, not both")
    if file is None:
        return token
    text = session.read(file).strip()
    if not text:
        raise BadInput(f"{file} is empty: it should hold a token")
    return text
