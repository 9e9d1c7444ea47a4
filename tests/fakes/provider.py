"""An identity provider on this machine: discovery, keys, and the three ways to a token, over real
HTTP. It is what a client and a service may rely on, and nothing more: RFC 6749, 7636, 8628, OpenID
Connect Core and Discovery 1.0. Whoever comes to its page is `person`, and agrees at once.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

CLIENT = "xylem-cli"
PROGRAM, PROGRAM_SECRET = "nightly", "s3cret-of-nightly"
LIFE = 3600


class Provider:
    def __init__(self, url: str) -> None:
        self.url = url
        self.person: dict[str, Any] = {
            "sub": "5f2b", "preferred_username": "carol", "name": "Carol", "roles": ["osmo-user"],
        }  # fmt: skip
        self.asked: list[str] = []
        self.down = False
        self.nonce: str | None = None
        """Said in the place of the one that it was given."""
        self.agreed = False
        """Whether somebody typed the code of a device."""
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.active = ""
        self._codes: dict[str, Mapping[str, str]] = {}
        self._refreshes: dict[str, bool] = {}
        self.rotate()

    def rotate(self, *, keep: bool = True) -> None:
        self.active = f"key-{len(self.keys) + 1}"
        self.keys = {
            **(self.keys if keep else {}),
            self.active: ec.generate_private_key(ec.SECP256R1()),
        }

    def token(self, *, now: float | None = None, **claims: Any) -> str:
        at = int(time.time() if now is None else now)
        said = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": at,
            "exp": at + LIFE,
            **self.person,
            **claims,
        }
        return jwt.encode(said, self.keys[self.active], "ES256", {"kid": self.active})

    # What is answered -----------------------------------------------------------------------------

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "device_authorization_endpoint": f"{self.url}/device",
            "end_session_endpoint": f"{self.url}/logout",
            "jwks_uri": f"{self.url}/keys",
        }

    def key_set(self) -> dict[str, Any]:
        return {
            "keys": [
                {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}
                for kid, key in self.keys.items()
            ]
        }

    def authorize(self, asked: Mapping[str, str]) -> str:
        """Where the browser is sent."""
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def grant(self, asked: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        match asked.get("grant_type"):
            case "authorization_code":
                known = self._codes.pop(asked["code"], None)
                digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
                challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
                if (
                    known is None
                    or known["code_challenge"] != challenge
                    or known["redirect_uri"] != asked["redirect_uri"]
                    or known["client_id"] != asked["client_id"]
                ):
                    return 400, {"error": "invalid_grant"}
                return 200, self._given(nonce=self.nonce or known["nonce"])
            case "urn:ietf:params:oauth:grant-type:device_code":
                if not self.agreed:
                    return 400, {"error": "authorization_pending"}
                return 200, self._given()
            case "refresh_token":
                if not self._refreshes.pop(asked["refresh_token"], False):
                    return 400, {"error": "invalid_grant"}
                return 200, self._given()
            case "client_credentials":
                if (asked.get("client_id"), asked.get("client_secret")) != (
                    PROGRAM,
                    PROGRAM_SECRET,
                ):
                    return 401, {"error": "invalid_client"}
                token = self.token(sub=PROGRAM, preferred_username=PROGRAM)
                return 200, {"access_token": token, "token_type": "Bearer", "expires_in": LIFE}
        return 400, {"error": "unsupported_grant_type"}

    def _given(self, **claims: Any) -> dict[str, Any]:
        refresh = secrets.token_urlsafe(8)
        self._refreshes[refresh] = True
        return {
            "id_token": self.token(**claims),
            "access_token": "for-the-provider-itself",
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": LIFE,
        }

    def device(self) -> dict[str, Any]:
        return {
            "device_code": "d3v1c3",
            "user_code": "WXYZ-1234",
            "verification_uri": f"{self.url}/activate",
            "expires_in": 300,
            "interval": 1,
        }


@contextmanager
def a_provider() -> Iterator[Provider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = self._asked()
            match path:
                case "/.well-known/openid-configuration":
                    self._say(200, provider.discovery())
                case "/keys":
                    self._say(503 if provider.down else 200, provider.key_set())
                case "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(query))
                    self.end_headers()
                case _:
                    self._say(404, {})

        def do_POST(self) -> None:
            path, _ = self._asked()
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = {name: one for name, [one] in parse_qs(body).items()}
            self._say(*((200, provider.device()) if path == "/device" else provider.grant(asked)))

        def _asked(self) -> tuple[str, dict[str, str]]:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            return parts.path, {name: one for name, [one] in parse_qs(parts.query).items()}

        def _say(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = Provider(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
