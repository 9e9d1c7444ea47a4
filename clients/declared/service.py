"""What the service has, as far as a folder is about it.

The number of a kind's revision is read before what it holds: what changes between the two is newer
than the number, and a write that is decided about it is refused, not done.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from clients.declared.documents import Document, Kind
from clients.declared.model import DeclaredApp, DeclaredCredential, State, with_document
from clients.sdk.client import Client
from clients.sdk.errors import Refused
from xylem.domain.config import ConfigKind
from xylem.domain.values import replace

CONFIGS: Mapping[Kind, ConfigKind] = MappingProxyType(
    {
        Kind.SERVICE: ConfigKind.SERVICE,
        Kind.WORKFLOW: ConfigKind.WORKFLOW,
        Kind.ROLE: ConfigKind.ROLE,
        Kind.POD_TEMPLATE: ConfigKind.POD_TEMPLATE,
        Kind.GROUP_TEMPLATE: ConfigKind.GROUP_TEMPLATE,
        Kind.RESOURCE_VALIDATION: ConfigKind.RESOURCE_VALIDATION,
        Kind.BACKEND_TEST: ConfigKind.BACKEND_TEST,
        Kind.BACKEND: ConfigKind.BACKEND,
        Kind.POOL: ConfigKind.POOL,
        Kind.BUCKET: ConfigKind.DATASET,
    }
)
"""Those that are configs, and so have revisions."""

BOOK = (
    Kind.POD_TEMPLATE,
    Kind.GROUP_TEMPLATE,
    Kind.RESOURCE_VALIDATION,
    Kind.BACKEND_TEST,
    Kind.BACKEND,
    Kind.POOL,
)
"""Which name each other: of one of them all are read."""

OURS = "what the service answers"


def read(documents: Sequence[Document], client: Client) -> tuple[State, Mapping[Kind, int]]:
    """With the revision of each kind that was seen. Raises what the client raises."""
    kinds = {document.kind for document in documents}
    seen = {
        kind: client.configs.newest(config) for kind, config in CONFIGS.items() if kind in kinds
    }
    state = State()
    if kinds & set(BOOK):
        state = _book(state, client)
    state = _configs(state, kinds, client)
    for document in documents:
        match document.kind:
            case Kind.USER:
                state = _user(document.name, state, client)
            case Kind.APP:
                state = _app(document.name, state, client)
            case Kind.CREDENTIAL:
                state = _credential(document, state, client)
            case _:
                pass
    return state, seen


def _book(state: State, client: Client) -> State:
    """Templates as they are: what was put earlier, under other rules, is no mistake of ours."""
    book = replace(
        state.book,
        pod_templates=client.configs.show(ConfigKind.POD_TEMPLATE),
        group_templates=client.configs.show(ConfigKind.GROUP_TEMPLATE),
    )
    state = replace(state, book=book)
    named: list[tuple[Kind, Mapping[str, Any]]] = [
        (Kind.RESOURCE_VALIDATION, client.configs.show(ConfigKind.RESOURCE_VALIDATION)),
        (Kind.BACKEND_TEST, client.configs.show(ConfigKind.BACKEND_TEST)),
        (
            Kind.BACKEND,
            {one["name"]: one for one in client.configs.show(ConfigKind.BACKEND)["backends"]},
        ),
        (Kind.POOL, client.configs.show(ConfigKind.POOL)["pools"]),
    ]
    for kind, found in named:
        for name, spec in found.items():
            state = with_document(Document(kind, name, spec, OURS, Path()), state)
    return state


def _configs(state: State, kinds: Collection[Kind], client: Client) -> State:
    for kind in (Kind.SERVICE, Kind.WORKFLOW):
        if kind in kinds:
            found = client.configs.show(CONFIGS[kind])
            state = with_document(Document(kind, "", found, OURS, Path()), state)
    if Kind.ROLE in kinds:
        for role in client.configs.show(ConfigKind.ROLE):
            document = Document(Kind.ROLE, role["name"], role, OURS, Path())
            state = with_document(document, state)
    if Kind.BUCKET in kinds:
        buckets = client.configs.show(ConfigKind.DATASET)["buckets"]
        keys = ("dataset_path", "region", "mode", "description")
        found = {name: {key: one[key] for key in keys} for name, one in buckets.items()}
        state = replace(state, buckets=found)
    return state


def _user(name: str, state: State, client: Client) -> State:
    try:
        found = client.users.get(name)
    except Refused as error:
        if _absent(error):
            return state
        raise
    roles = frozenset(one.role_name for one in found.roles)
    return replace(state, users={**state.users, name: roles})


def _app(name: str, state: State, client: Client) -> State:
    """One of which every version was deleted is there, and has no text."""
    try:
        found = client.apps.info(name, limit=1)
    except Refused as error:
        if _absent(error):
            return state
        raise
    newest = found.versions[-1] if found.versions else None
    ready = newest is not None and newest.status == "READY"
    text = client.apps.spec(name) if ready else ""
    return replace(state, apps={**state.apps, name: DeclaredApp(text, found.description)})


def _credential(document: Document, state: State, client: Client) -> State:
    pool = document.spec.get("pool") if isinstance(document.spec, Mapping) else None
    try:
        found = client.credentials(pool=pool).credentials
    except Refused as error:
        if pool is not None and _absent(error):  # a pool that comes with the same folder
            return state
        raise
    for one in found:
        if one.cred_name == document.name:
            made = DeclaredCredential(one.cred_type.upper(), pool)
            return replace(state, credentials={**state.credentials, document.name: made})
    return state


def _absent(error: Refused) -> bool:
    """The service answers 400, as OSMO does, or 404 for what is not there."""
    return error.status in (400, 404)
