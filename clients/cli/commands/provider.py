"""`xylem provider …`: identity providers whose tokens count, with the deployer's credentials.

Whoever may name one may be anybody, so it is no config that an administrator writes.
"""

from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer
from botocore.exceptions import BotoCoreError, ClientError

from clients.cli.options import Environment, LongFormatType, Region, Url, command_group
from clients.cli.session import session_of
from clients.cli.signing import Deployment, deployment
from clients.sdk.errors import BadInput, Unreachable
from clients.sdk.login import checked_url, is_loopback
from xylem.domain.provider import ROLES_CLAIM, USER_CLAIMS, Provider
from xylem_aws.provider_keys import read_providers, write_providers

app = command_group("Identity providers that people log in with (with the deployer's credentials).")

DISCOVERY = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0, section 4."""

Issuer = Annotated[str, typer.Argument(help="Of its tokens: https://login.example.com/realm.")]


@app.command()
def trust(
    context: typer.Context,
    issuer: Issuer,
    environment: Environment,
    client_id: Annotated[
        str, typer.Option(help="Of `xylem` and `osmo` there: a public client, with PKCE.")
    ],
    audience: Annotated[
        list[str] | None, typer.Option(help="Repeatable: what else tokens may be for.")
    ] = None,
    user_claim: Annotated[
        list[str] | None,
        typer.Option(help="Repeatable: what people are called; the first that a token has."),
    ] = None,
    roles_claim: Annotated[
        str, typer.Option(help="What people are there: a claim, or a path of keys.")
    ] = ROLES_CLAIM,
    region: Region = None,
    url: Url = None,
    format_type: LongFormatType = None,
) -> None:
    """Believe this provider's tokens, in the place of what was said of it before."""
    session = session_of(context)
    provider = provider_of(
        issuer,
        _discovered(issuer, session.transport),
        audiences=(client_id, *(audience or ())),
        user_claims=tuple(user_claim or USER_CLAIMS),
        roles_claim=roles_claim,
    )
    there = deployment(session, environment, region, url)
    others = [one for one in _read(there) if one.issuer != provider.issuer]
    _write(there, [*others, provider])
    session.say(f"{there.api_url} believes {provider.issuer} in five minutes at the latest.")
    session.hint(f"Log in: xylem login '{there.api_url}'")


@app.command("list")
def list_providers(
    context: typer.Context,
    environment: Environment,
    region: Region = None,
    url: Url = None,
    format_type: LongFormatType = None,
) -> None:
    """List the providers whose tokens count; people log in with the first."""
    session = session_of(context)
    found = _read(deployment(session, environment, region, url))
    if session.json:
        session.write_json(
            [{"issuer": one.issuer, "audiences": list(one.audiences)} for one in found]
        )
        return
    for one in found:
        session.say(f"{one.issuer}  for {', '.join(one.audiences)}")
    if not found:
        session.say("No provider is trusted: people log in with tokens that were minted.")


@app.command()
def forget(
    context: typer.Context,
    issuer: Issuer,
    environment: Environment,
    region: Region = None,
    url: Url = None,
    format_type: LongFormatType = None,
) -> None:
    """Believe a provider's tokens no more."""
    session = session_of(context)
    there = deployment(session, environment, region, url)
    known = _read(there)
    left = [one for one in known if one.issuer != issuer]
    if len(left) == len(known):
        raise BadInput(f"{issuer} is not trusted: `xylem provider list` shows who is")
    _write(there, left)
    session.say(f"{there.api_url} believes {issuer} no more, in six minutes at the latest.")


def _discovered(issuer: str, transport: httpx.BaseTransport | None) -> dict[str, Any]:
    """Raises `BadInput`, `Unreachable`."""
    where = f"{checked_url(issuer)}{DISCOVERY}"
    try:
        with httpx.Client(transport=transport, trust_env=not is_loopback(issuer)) as http:
            answer = http.get(where).raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unreachable(where, str(error)) from error
    if not isinstance(answer, dict) or answer.get("issuer") != issuer:
        said = answer.get("issuer") if isinstance(answer, dict) else None
        raise BadInput(f"{where} is about {said}: write the issuer exactly as its provider does")
    return answer


def provider_of(issuer: str, said: dict[str, Any], **more: Any) -> Provider:
    """Raises `BadInput`."""
    names = {
        "keys_url": "jwks_uri",
        "token_url": "token_endpoint",
        "authorize_url": "authorization_endpoint",
        "device_url": "device_authorization_endpoint",
        "logout_url": "end_session_endpoint",
    }
    urls = {field: str(said[name]) for field, name in names.items() if said.get(name)}
    for field in ("keys_url", "token_url"):
        if field not in urls:
            raise BadInput(f"{issuer} names no {names[field]}: it cannot be trusted")
    for url in urls.values():
        checked_url(url)
        if is_loopback(url) and urlsplit(issuer).hostname != urlsplit(url).hostname:
            raise BadInput(f"{issuer} names {url}, which is this machine")
    given: dict[str, Any] = {"issuer": issuer, **urls, **more}
    return Provider(**given)


def _read(there: Deployment) -> list[Provider]:
    """Raises `BadInput`."""
    try:
        return list(read_providers(there.ssm, there.keys_path))
    except (BotoCoreError, ClientError) as error:
        raise BadInput(f"the providers of {there.api_url} cannot be read: {error}") from error


def _write(there: Deployment, providers: list[Provider]) -> None:
    """Raises `BadInput`."""
    try:
        write_providers(there.ssm, there.keys_path, providers)
    except (BotoCoreError, ClientError) as error:
        raise BadInput(f"the providers of {there.api_url} cannot be kept: {error}") from error
