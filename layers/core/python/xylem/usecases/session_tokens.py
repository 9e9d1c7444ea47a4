"""Tokens of sessions: claims and a keyed hash of them, by the standard library alone, because the
Router checks one for each frame that it passes on.

    kid.claims.mac     claims: JSON in base64url; mac: HMAC-SHA256 of "session." and the claims

The prefix keeps them apart from whatever else the same key signs.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping

_PREFIX = b"xylem-session."


class HmacSessionTokens:
    def __init__(self, keys: Mapping[str, bytes], active: str) -> None:
        self._keys = keys
        self._active = active

    def sign(self, claims: dict[str, str | int]) -> str:
        said = _encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{self._active}.{said}.{_encode(_mac(said, self._keys[self._active]))}"

    def read(self, token: str) -> dict[str, str | int] | None:
        kid, _, rest = token.partition(".")
        said, _, given = rest.partition(".")
        key = self._keys.get(kid)
        try:
            if key is None or not hmac.compare_digest(_decode(given), _mac(said, key)):
                return None
            claims = json.loads(_decode(said))
        except ValueError:
            return None
        return claims if isinstance(claims, dict) else None


def _mac(said: str, key: bytes) -> bytes:
    return hmac.digest(key, _PREFIX + said.encode(), hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Raises `ValueError`."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
