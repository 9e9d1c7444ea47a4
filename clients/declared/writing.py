"""Changes of a plan, written one by one, each under the revision that the plan saw.

A kind's revision grows by one with each write of it. So the number under which the next one is
written is known without another look, and what somebody else wrote in between is noticed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from clients.declared.documents import Kind
from clients.declared.model import (
    Secret,
    State,
    backend_test_config,
    role_config,
    value,
    with_document,
)
from clients.declared.plan import Action, Change, Plan
from clients.declared.service import CONFIGS
from clients.sdk.client import Client, CredentialKind
from clients.sdk.configs import Note
from clients.sdk.errors import BadInput

DESCRIPTION = "Applied from a folder"


def written(
    plan: Plan, client: Client, environ: Mapping[str, str], *, description: str | None = None
) -> Iterator[Change]:
    """Each change once it is written. Raises what the client raises; what came before stays."""
    secrets = {change.name: _secrets(change, environ) for change in _credentials(plan)}
    seen = dict(plan.seen)
    for change in plan.changes:
        note = Note(description or DESCRIPTION, seen=seen.get(change.kind))
        if change.kind in CONFIGS:
            _write_config(change, client, note)
            seen[change.kind] += 1
        elif change.kind is Kind.CREDENTIAL:
            _write_credential(change, client, secrets[change.name])
        else:
            _write_other(change, client)
        yield change


def _write_config(change: Change, client: Client, note: Note) -> None:
    kind, name = CONFIGS[change.kind], change.name or None
    document = change.document
    if document is None:
        client.configs.delete(kind, change.name, note=note)
        return
    match change.kind:
        case Kind.ROLE:
            config = role_config(document)
        case Kind.BACKEND_TEST:
            config = backend_test_config(document)
        case Kind.BUCKET:
            config = dict(value(Kind.BUCKET, change.name, with_document(document, State())))
        case _:
            config = document.spec
    client.configs.put(kind, name, config, note=note)


def _write_other(change: Change, client: Client) -> None:
    assert change.document is not None, "what belongs to somebody is not deleted"
    state = with_document(change.document, State())
    match change.kind:
        case Kind.USER:
            roles = state.users[change.name]
            if change.action is Action.CREATE:
                client.users.create(change.name, roles=sorted(roles))
                return
            before = frozenset(change.before["roles"])
            for role in sorted(roles - before):
                client.users.assign(change.name, role)
            for role in sorted(before - roles):
                client.users.unassign(change.name, role)
        case _:
            app = state.apps[change.name]
            if change.action is Action.CREATE:
                client.apps.create(change.name, app.text, description=app.description)
            else:
                client.apps.add_version(change.name, app.text)


def _write_credential(change: Change, client: Client, payload: Mapping[str, str]) -> None:
    assert change.document is not None, "what belongs to somebody is not deleted"
    declared = with_document(change.document, State()).credentials[change.name]
    kind = cast("CredentialKind", declared.type)
    client.set_credential(change.name, kind, payload, pool=declared.pool)


def _credentials(plan: Plan) -> list[Change]:
    return [change for change in plan.changes if change.kind is Kind.CREDENTIAL]


def _secrets(change: Change, environ: Mapping[str, str]) -> dict[str, str]:
    """Before anything is written: one that is missing stops all. Raises `BadInput`."""
    document = change.document
    assert document is not None, "what belongs to somebody is not deleted"
    declared = with_document(document, State()).credentials[change.name]
    payload: dict[str, str] = {}
    for key, one in declared.payload.items():
        at = f"{document.at}: {document}: payload.{key}"
        payload[key] = (
            _secret(one, at, document.folder, environ) if isinstance(one, Secret) else one
        )
    return payload


def _secret(secret: Secret, at: str, folder: Path, environ: Mapping[str, str]) -> str:
    if secret.env is not None:
        if secret.env not in environ:
            raise BadInput(f"{at}: the environment has no {secret.env}")
        return environ[secret.env]
    path = folder / str(secret.file)
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{at}: {path} cannot be read") from None
