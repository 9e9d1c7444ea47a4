"""Where the service is and who asks: the login that a person keeps on their machine.

One JSON file, readable by its owner alone. `XYLEM_URL` with `XYLEM_TOKEN` or `XYLEM_USER` go before
it, for programs that have no home. A keyring was rejected: it asks questions where nobody answers,
as in a container, and the kubeconfig beside it is a plain file anyway.
"""

import base64
import binascii
import json
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from clients.sdk.errors import BadInput

FILE = "login.json"

AHEAD = timedelta(seconds=30)
"""A token that ends sooner is not sent: a request takes its time, and clocks differ."""


def checked_url(url: str) -> str:
    """The URL without its last slash. Raises `BadInput`."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read, and refused, when it is asked for
    except ValueError as error:
        raise BadInput(f"{url} is not the address of a service: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BadInput(f"{url} is not the address of a service: it begins with https:// or http://")
    if parts.scheme == "http" and not is_loopback(url):
        raise BadInput(f"{url} would send tokens in clear over the network: use https://")
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _checked_header(text: str) -> str:
    """Names and tokens travel in headers. The message does not repeat them: a token is a secret."""
    if not (text.isascii() and text.isprintable()):
        raise BadInput(
            "the token (or the name) of the login has a line break or a letter that none has:"
            " was it copied in full, and nothing else?"
        )
    return text


Header = Annotated[str, AfterValidator(_checked_header)]


class Grant(BaseModel):
    """How another token is had when one has ended: `refresh`: for a refresh token; `client`: for a
    program's own secret, both at a provider's `token_url`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["refresh", "client"]
    token_url: Annotated[str, AfterValidator(checked_url)]
    client_id: str
    secret: str
    scope: str | None = None


class Login(BaseModel):
    """Raises `BadInput`, too, for what no request could carry."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: Annotated[str, AfterValidator(checked_url)]
    token: Header | None = None
    user: Header | None = None
    """Sent as `x-osmo-user`, which the environment `local` alone believes."""
    pool: str | None = None
    """Where workflows go when nobody says where."""
    grant: Grant | None = None
    access_token: Header | None = None
    """What `token` is exchanged for, at the service itself."""


def config_folder(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("XYLEM_CONFIG_DIR"):
        return Path(chosen).expanduser()
    return Path(platformdirs.user_config_dir("xylem"))


def cache_folder(environ: Mapping[str, str]) -> Path:
    """For what can be asked again."""
    if chosen := environ.get("XYLEM_CACHE_DIR"):
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("xylem"))


def current_login(environ: Mapping[str, str]) -> Login | None:
    """The login of the environment, else the stored one. Raises `BadInput`."""
    if url := environ.get("XYLEM_URL"):
        token = environ.get("XYLEM_TOKEN")
        secret = token if token and is_access_token(token) else None
        return Login(
            url=url,
            token=None if secret else token,
            access_token=secret,
            user=environ.get("XYLEM_USER"),
            pool=environ.get("XYLEM_POOL"),
        )
    return load(config_folder(environ))


def load(folder: Path) -> Login | None:
    """Raises `BadInput` where the file is not a login."""
    path = folder / FILE
    try:
        return Login.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, BadInput, OSError) as error:
        raise BadInput(f"{path} cannot be read as a login: delete it and log in again") from error


def store(login: Login, folder: Path) -> Path:
    """Write it so that no other user can read it, not even for a moment."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / FILE
    write_private(path, login.model_dump_json(exclude_none=True, indent=2) + "\n")
    return path


def write_private(path: Path, text: str) -> None:
    """The whole file or the old one, and mode 0600 from its first byte."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.replace(path)


ACCESS_TOKEN_CHARS = 43
"""Of what the service gives out as an access token: 32 bytes in base64url."""


def is_access_token(token: str) -> bool:
    """It is exchanged for others; anything else is sent as it is."""
    return len(token) == ACCESS_TOKEN_CHARS and "." not in token


def ended(login: Login, now: datetime) -> bool:
    """Whether another token is wanted (`clients.sdk.fresh`), and can be had."""
    if login.access_token is None and login.grant is None:
        return False
    ends = token_expiry(login.token) if login.token else None
    return login.token is None or (ends is not None and ends <= now + AHEAD)


def token_expiry(token: str) -> datetime | None:
    """When a token ends, by its own words: nothing is verified here. None: it does not say."""
    ends = claims_of(token).get("exp")
    try:
        return datetime.fromtimestamp(ends, UTC) if isinstance(ends, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None


def claims_of(token: str) -> Mapping[str, Any]:
    """What a token says of itself; nothing where it says nothing."""
    try:
        _, payload, _ = token.split(".")
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return said if isinstance(said, dict) else {}
