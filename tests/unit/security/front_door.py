"""The service as a stranger meets it: the real authorizer, then the real application, with real
keys, over memory ports. Nothing is believed here that a request says of itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from functions.authorizer import passing
from tests.builders_spec import a_task, yaml_of
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.access import ADMIN, Principal
from xylem.domain.errors import Unauthenticated
from xylem.domain.ids import ConnectionId, UserName
from xylem.domain.role import USER
from xylem.memory.tokens import MemoryProviders
from xylem.ports.tokens import Providers
from xylem_aws.identity import Signer, Verifier
from xylem_aws.keys import KeyRing, new_signing_keys, public_halves
from xylem_aws.settings import Settings

HERE = "https://api.here.test"
STRANGER = "192.0.2.1"
MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)
HELLO = yaml_of(a_task("a"), name="hello")
NEXT_YEAR = "expires_at=2027-01-01"


@cache
def keys() -> KeyRing:
    """Made once: an RSA key takes a tenth of a second."""
    return new_signing_keys()


@dataclass
class _Has:
    """What the authorizer works with."""

    world: World
    settings: Settings
    verifier: Verifier
    providers: Providers

    @property
    def configs(self) -> Any:
        return self.world.configs

    @property
    def backends(self) -> Any:
        return self.world.backends

    @property
    def identity(self) -> Any:
        return self.world.identity

    @property
    def clock(self) -> Any:
        return self.world.clock


class FrontDoor:
    def __init__(self, environment: str = "prod", providers: Providers | None = None) -> None:
        self.world = World()
        self.signer = Signer(keys(), HERE)
        trusted = providers or MemoryProviders()
        self.core = CoreService(self.world, self.signer, trusted)
        settings = Settings({"XYLEM_ENVIRONMENT": environment, "API_URL": HERE})
        verifier = Verifier(lambda kid, now: public_halves(keys()), HERE)
        self.has = _Has(self.world, settings, verifier, trusted)

    # Who ------------------------------------------------------------------------------------------

    def token(self, name: str, *roles: str, life: timedelta = MINUTES) -> str:
        given = roles or (USER,)
        return self.signer.user(UserName(name), given, life=life, now=self.world.clock())

    @property
    def root(self) -> str:
        return self.token("root", ADMIN)

    # What they ask --------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        source: str = STRANGER,
    ) -> Answer:
        """401 and 403 without a body of ours are the gateway's own, as API Gateway answers."""
        given = {**(headers or {}), **({"authorization": f"Bearer {token}"} if token else {})}
        event = {"headers": given, "requestContext": {"http": {"sourceIp": source}}}
        try:
            found, context = passing.asking(event, self.has)
        except Unauthenticated:
            return Answer(401, {}, None)
        if found.kind != "user":
            return Answer(403, {}, None)
        text = body if body is None or isinstance(body, bytes) else json.dumps(body)
        return self.core.ask(method, path, query=query, body=text, headers=given, context=context)

    def open(self, method: str, path: str, body: Any) -> Answer:
        """Of the few routes that stand before the authorizer."""
        return self.core.ask(method, path, body=json.dumps(body))

    def dial(self, token: str, connection: str = "socket-1") -> Principal:
        """Open a socket. Raises `Unauthenticated`."""
        event = {"headers": {"Authorization": f"Bearer {token}"}}
        found = passing.dialling(event, self.has)
        self.world.connections.put(
            ConnectionId(connection),
            kind=found.kind,
            subject=found.subject,
            backend=found.backend,
            now=self.world.clock(),
        )
        return found

    # What is there --------------------------------------------------------------------------------

    def submitted(self, token: str, spec: str = HELLO, pool: str = "default") -> str:
        answer = self.ask("POST", f"/api/pool/{pool}/workflow", token=token, body={"file": spec})
        assert answer.status == 200, answer
        self.world.settle()
        return str(answer.body["name"])

    def role(self, name: str, *policies: Mapping[str, Any], **more: Any) -> None:
        """An admin makes it."""
        answer = self.put_role(self.root, name, *policies, **more)
        assert answer.status == 200, answer

    def put_role(self, token: str, name: str, *policies: Mapping[str, Any], **more: Any) -> Answer:
        configs = {"name": name, "description": "", "policies": list(policies), **more}
        return self.ask("PUT", f"/api/configs/role/{name}", token=token, body={"configs": configs})

    def user(self, name: str, *roles: str) -> None:
        """An admin makes him."""
        body = {"id": name, "roles": list(roles)}
        answer = self.ask("POST", "/api/auth/user", token=self.root, body=body)
        assert answer.status == 200, answer

    def access_token(self, token: str, name: str = "ci", query: str = NEXT_YEAR) -> str:
        answer = self.ask("POST", f"/api/auth/access_token/{name}", token=token, query=query)
        assert answer.status == 200, answer
        return str(answer.body)

    def exchanged(self, secret: str) -> Answer:
        return self.open("POST", "/api/auth/jwt/access_token", {"token": secret})


def allowing(*actions: str, on: str = "*") -> dict[str, Any]:
    return {"effect": "Allow", "actions": list(actions), "resources": [on]}


def denying(*actions: str, on: str = "*") -> dict[str, Any]:
    return {"effect": "Deny", "actions": list(actions), "resources": [on]}
