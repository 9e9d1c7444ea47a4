"""Backends: the clusters of which operators dial in."""

from clients.sdk.connection import Connection, parsed, segment
from clients.sdk.models import Backend, Backends, Registered


class BackendCalls(Connection):
    def backends(self) -> Backends:
        return parsed(Backends, self.get("/api/configs/backend", {}))

    def backend(self, name: str) -> Backend:
        return parsed(Backend, self.get(f"/api/configs/backend/{segment(name)}", {}))

    def register_backend(self, name: str, digest: str, *, renew: bool = False) -> Registered:
        """`digest`: the SHA-256 of its operator's credential, which stays here. With `renew` it
        takes the place of the one before."""
        body = {"digest": digest, "renew": renew}
        return parsed(Registered, self.send("PUT", f"/api/backend/{segment(name)}", json=body))

    def drain_backend(self, name: str, *, undo: bool = False) -> Backend:
        """Start nothing more there; `undo`: start things there again."""
        path = f"/api/backend/{segment(name)}/drain"
        return parsed(Backend, self.send("DELETE" if undo else "PUT", path))

    def remove_backend(self, name: str, *, force: bool = False) -> None:
        """Refused while work is there; `force` leaves that to itself."""
        self.send("DELETE", f"/api/configs/backend/{segment(name)}", json={"force": force})
