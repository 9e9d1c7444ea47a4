"""Credentials: secrets that the service keeps for tasks, and never shows again."""

from collections.abc import Mapping
from typing import Literal

from clients.sdk.connection import Connection, parsed, segment
from clients.sdk.models import Credentials

CredentialKind = Literal["GENERIC", "REGISTRY", "DATA"]


class CredentialCalls(Connection):
    def credentials(self, *, pool: str | None = None) -> Credentials:
        """Yours, or those of a pool, without what is in them."""
        return parsed(Credentials, self.get("/api/credentials", {"pool": pool}))

    def set_credential(
        self,
        name: str,
        kind: CredentialKind,
        payload: Mapping[str, str],
        *,
        pool: str | None = None,
    ) -> None:
        """Keep a secret with the service; of REGISTRY and DATA the one with its profile goes."""
        body = {"credential": dict(payload)} if kind == "GENERIC" else dict(payload)
        self.send(
            "POST",
            f"/api/credentials/{segment(name)}",
            parameters={"pool": pool},
            json={f"{kind.lower()}_credential": body},
        )

    def delete_credential(self, name: str, *, pool: str | None = None) -> Credentials:
        """What was deleted."""
        path = f"/api/credentials/{segment(name)}"
        return parsed(Credentials, self.send("DELETE", path, parameters={"pool": pool}))
