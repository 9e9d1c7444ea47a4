"""What is declared, as values that can be compared: by the service's own code.

Both sides go through it, what a folder declares and what the service answers, so that a default
that one leaves out and the other says is no difference. Each kind is a row: how a spec is put into
a state, and how what a state has is shown.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from clients.declared.documents import Document, Kind
from clients.sdk.errors import BadInput
from xylem.domain.config import DEFAULT_CONFIG, DEFAULT_SERVICE, ServiceConfig, WorkflowConfig
from xylem.domain.credential import CredentialKind, secret_keys
from xylem.domain.errors import XylemError
from xylem.domain.ids import BackendName
from xylem.domain.pool_book import BackendConfig, PoolBook, with_pool
from xylem.domain.role import SHIPPED_ROLES, Roles, with_role
from xylem.domain.values import dataclass, field, replace
from xylem.spec import backend_tests, backends, group_templates, pod_templates, service_configs
from xylem.spec.backend_tests import TestForm
from xylem.spec.backends import BackendForm
from xylem.spec.pools import PoolConfig, config_of, pool_of
from xylem.spec.roles import RoleForm, config_of_role, role_of
from xylem.spec.service_configs import ServiceForm, WorkflowForm
from xylem.spec.validations import AssertionConfig, config_of_assertions, validation_of

Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Secret:
    """Where the value of a secret is, which a folder does not have: `{env: NAME}` or
    `{file: PATH}`."""

    env: str | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredCredential:
    """`pool`: of everybody who runs there."""

    type: str
    pool: str | None = None
    payload: Mapping[str, str | Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredApp:
    """`description` is said when it is made, and stays."""

    text: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class State:
    book: PoolBook = field(default_factory=PoolBook)
    roles: Roles = field(default_factory=lambda: SHIPPED_ROLES)
    workflow: WorkflowConfig = DEFAULT_CONFIG
    service: ServiceConfig = DEFAULT_SERVICE
    users: Mapping[str, frozenset[str]] = field(default_factory=dict)
    buckets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    apps: Mapping[str, DeclaredApp] = field(default_factory=dict)
    credentials: Mapping[str, DeclaredCredential] = field(default_factory=dict)


def with_document(document: Document, state: State) -> State:
    """The state in which it is as declared. Raises `BadInput` with its file."""
    try:
        return _PUT[document.kind](document, state)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        told = f"{where}: {first['msg']}" if where else first["msg"]
        raise BadInput(f"{document.at}: {document}: {told}") from None
    except XylemError as error:
        text = str(error).replace("configs.", "spec.").replace("configs[", "spec[")
        raise BadInput(f"{document.at}: {document}: {text}") from None


def value(kind: Kind, name: str, state: State) -> Any:
    """What there is of it, to be compared; None: nothing."""
    match kind:
        case Kind.SERVICE:  # in full: what is kept of one differs by what its author left out
            return service_configs.masked(service_configs.service_form(state.service))
        case Kind.WORKFLOW:
            return service_configs.masked(service_configs.workflow_form(state.workflow))
        case Kind.CREDENTIAL:  # what it holds is told by nobody
            credential = state.credentials.get(name)
            return credential and (credential.type, credential.pool)
        case Kind.APP:
            app = state.apps.get(name)
            return app and app.text
        case _:
            return _of_kind(kind, state).get(name)


def names(kind: Kind, state: State) -> frozenset[str]:
    """Of what an administrator made, and not what every service has."""
    if kind in (Kind.SERVICE, Kind.WORKFLOW):
        return frozenset()
    return frozenset(_of_kind(kind, state)) - frozenset(_of_kind(kind, State()))


def shown(kind: Kind, name: str, state: State) -> Any:
    """As a person reads it, without a secret; None where there is nothing."""
    found = value(kind, name, state)
    if found is None:
        return None
    match kind:
        case Kind.ROLE:
            return config_of_role(found)
        case Kind.POOL:
            return config_of(found)
        case Kind.RESOURCE_VALIDATION:
            return config_of_assertions(found)
        case Kind.BACKEND_TEST:
            test = backend_tests.config_of_test(name, state.book)
            return {key: one for key, one in test.items() if key != "parsed_pod_template"}
        case Kind.BACKEND:
            return _shown_backend(found)
        case Kind.USER:
            return {"roles": sorted(found)}
        case Kind.CREDENTIAL:
            type_, pool = found
            return {"type": type_, **({"pool": pool} if pool else {})}
        case Kind.APP:
            return found
        case _:
            return dict(found)


# How each kind is put into a state --------------------------------------------------------------


def _service(document: Document, state: State) -> State:
    form = _form(ServiceForm, document)
    return replace(state, service=service_configs.service_config(form))


def _workflow(document: Document, state: State) -> State:
    form = _form(WorkflowForm, document)
    return replace(state, workflow=service_configs.workflow_config(form))


def role_config(document: Document) -> dict[str, Any]:
    """As it is sent."""
    return {"name": document.name, "description": "", **_mapping(document)}


def _role(document: Document, state: State) -> State:
    form = RoleForm.model_validate(role_config(document))
    return replace(state, roles=with_role(role_of(document.name, form), state.roles))


def _pod_template(document: Document, state: State) -> State:
    template = pod_templates.template_of(_mapping(document))
    return replace(state, book=pod_templates.put_template(document.name, template, state.book))


def _group_template(document: Document, state: State) -> State:
    template = group_templates.template_of(_mapping(document))
    return replace(state, book=group_templates.put_template(document.name, template, state.book))


_ASSERTIONS: TypeAdapter[list[AssertionConfig]] = TypeAdapter(list[AssertionConfig])


def _validation(document: Document, state: State) -> State:
    given = validation_of(_ASSERTIONS.validate_python(document.spec))
    known = {**state.book.resource_validations, document.name: given}
    return replace(state, book=replace(state.book, resource_validations=known))


def backend_test_config(document: Document) -> dict[str, Any]:
    """As it is sent."""
    return {"name": document.name, "description": "", **_mapping(document)}


def _test(document: Document, state: State) -> State:
    form = TestForm.model_validate(backend_test_config(document))
    return replace(state, book=backend_tests.put_test(document.name, form, state.book))


def _backend(document: Document, state: State) -> State:
    form = _form(BackendForm, document)
    return replace(state, book=backends.put_backend(BackendName(document.name), form, state.book))


def _pool(document: Document, state: State) -> State:
    pool = pool_of(document.name, _form(PoolConfig, document), state.book)
    return replace(state, book=with_pool(pool, state.book))


class _User(BaseModel, extra="forbid"):
    roles: list[str] = []


def _user(document: Document, state: State) -> State:
    roles = frozenset(_User.model_validate(document.spec or {}).roles)
    return replace(state, users={**state.users, document.name: roles})


class _Bucket(BaseModel, extra="forbid"):
    dataset_path: str
    region: str = "us-east-1"
    mode: str = "read-write"
    description: str = ""


def _bucket(document: Document, state: State) -> State:
    """A path may be said without the deployment's store, which the service puts before it."""
    given = _form(_Bucket, document)
    path = given.dataset_path.rstrip("/")
    before = state.buckets.get(document.name, {}).get("dataset_path", "")
    if "://" not in path and before.endswith(f"/{path}"):
        path = before
    made = {**given.model_dump(), "dataset_path": path}
    return replace(state, buckets={**state.buckets, document.name: made})


class _Reference(BaseModel, extra="forbid"):
    env: str | None = None
    file: str | None = None


class _Credential(BaseModel, extra="forbid"):
    type: CredentialKind = CredentialKind.GENERIC
    pool: str | None = None
    payload: dict[str, str | _Reference]


def _credential(document: Document, state: State) -> State:
    given = _form(_Credential, document)
    payload: dict[str, str | Secret] = {}
    for key, one in given.payload.items():
        if isinstance(one, str):
            payload[key] = one
        elif (one.env is None) == (one.file is None):
            raise BadInput(
                f"{document.at}: {document}: payload.{key}: say where it is, as {{env: NAME}} or "
                "{file: PATH}"
            )
        else:
            payload[key] = Secret(one.env, one.file)
    open_ones = {key for key, one in payload.items() if isinstance(one, str)}
    if written := sorted(set(secret_keys(payload)) & open_ones):
        raise BadInput(
            f"{document.at}: {document}: payload.{written[0]} is a secret, which does not belong in"
            " a folder that others read: say where it is, as {env: NAME} or {file: PATH}"
        )
    made = DeclaredCredential(given.type.value, given.pool, payload)
    return replace(state, credentials={**state.credentials, document.name: made})


class _App(BaseModel, extra="forbid"):
    description: str
    file: str | None = None
    text: str | None = None


def _app(document: Document, state: State) -> State:
    given = _form(_App, document)
    if (given.file is None) == (given.text is None):
        raise BadInput(f"{document.at}: {document}: give its spec as `file: PATH` or as `text`")
    text = given.text or ""
    if given.file is not None:
        path = document.folder / given.file
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{document.at}: {document}: {given.file}: {error}") from None
    made = DeclaredApp(text, given.description)
    return replace(state, apps={**state.apps, document.name: made})


_PUT: Mapping[Kind, Callable[[Document, State], State]] = MappingProxyType(
    {
        Kind.SERVICE: _service,
        Kind.WORKFLOW: _workflow,
        Kind.ROLE: _role,
        Kind.USER: _user,
        Kind.POD_TEMPLATE: _pod_template,
        Kind.GROUP_TEMPLATE: _group_template,
        Kind.RESOURCE_VALIDATION: _validation,
        Kind.BACKEND_TEST: _test,
        Kind.BACKEND: _backend,
        Kind.POOL: _pool,
        Kind.BUCKET: _bucket,
        Kind.CREDENTIAL: _credential,
        Kind.APP: _app,
    }
)


def _of_kind(kind: Kind, state: State) -> Mapping[Any, Any]:
    book = state.book
    known: Mapping[Kind, Mapping[Any, Any]] = {
        Kind.ROLE: state.roles,
        Kind.USER: state.users,
        Kind.POD_TEMPLATE: book.pod_templates,
        Kind.GROUP_TEMPLATE: book.group_templates,
        Kind.RESOURCE_VALIDATION: book.resource_validations,
        Kind.BACKEND_TEST: book.backend_tests,
        Kind.BACKEND: book.backends,
        Kind.POOL: book.pools,
        Kind.BUCKET: state.buckets,
        Kind.CREDENTIAL: state.credentials,
        Kind.APP: state.apps,
    }
    return known[kind]


def _shown_backend(found: BackendConfig) -> dict[str, Any]:
    conditions = found.node_conditions
    return {
        **found.texts,
        "tests": list(found.tests),
        "scheduler_settings": backends.scheduler_config(found.scheduler),
        "node_conditions": {"rules": dict(conditions.rules), "prefix": conditions.prefix},
    }


def _form(form: type[Form], document: Document) -> Form:
    return form.model_validate(_mapping(document))


def _mapping(document: Document) -> dict[str, Any]:
    """Raises `BadInput`."""
    if not isinstance(document.spec, Mapping):
        raise BadInput(f"{document.at}: {document}: its spec has to be keys with values")
    return dict(document.spec)
