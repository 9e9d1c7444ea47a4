"""The application: routes, errors, and the services they work with.

Routes are loaded in parts, each when one of its paths is asked for first. Nobody waits at a cold
start for the forms and use cases of what he did not ask: without parts, for a third of it.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, get_args

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Message, Receive, Scope, Send

from functions.core_service import client_version, errors, large, once
from functions.core_service.services import Services

Part = Literal[
    "submission",
    "workflows",
    "why_pending",
    "events",
    "cancel",
    "tags",
    "sessions",
    "osmo_sessions",
    "tasks",
    "pools",
    "pool_configs",
    "templates",
    "backends",
    "backend_tests",
    "configs",
    "roles",
    "config_history",
    "credentials",
    "datasets",
    "dataset_configs",
    "jobs",
    "apps",
    "users",
    "access_tokens",
    "webhooks",
    "login",
    "profile",
    "service",
]
"""Each a module of `routes`."""

PARTS: tuple[Part, ...] = get_args(Part)

DESCRIPTION = "/api/openapi.json"

BODY_BYTES = 1024 * 1024
LARGE_BODY_BYTES = 6 * 1024 * 1024
"""What Lambda takes at all (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""

LARGE: Mapping[str, int] = {
    "submission": LARGE_BODY_BYTES,
    "apps": LARGE_BODY_BYTES,
    "datasets": LARGE_BODY_BYTES,
}
"""Parts with routes that take a spec, of 4 MB, or names of many files."""


def part_of(path: str) -> Part:
    """Which has the routes of a path, if any has."""
    match path.split("/")[1:]:
        case ["api", "pool", _, "workflow", *_]:
            return "submission"
        case ["api", "workflow", _, "why-pending"]:
            return "why_pending"
        case ["api", "workflow", _, "events"]:
            return "events"
        case ["api", "workflow", _, "cancel"]:
            return "cancel"
        case ["api", "workflow", _, "tag"] | ["api", "tag"]:
            return "tags"
        case ["api", "workflow", _, "exec" | "portforward" | "webserver" | "rsync", *_]:
            return "osmo_sessions"
        case ["api", "plugins", *_]:
            return "osmo_sessions"
        case ["api", "task"]:
            return "tasks"
        case ["api", "workflow", _, "sessions"]:
            return "sessions"
        case ["api", "workflow", *_]:
            return "workflows"
        case ["api", "pool" | "pool_quota" | "resources", *_]:
            return "pools"
        case ["api", "configs", "pool", *_]:
            return "pool_configs"
        case ["api", "configs", "pod_template" | "group_template" | "resource_validation", *_]:
            return "templates"
        case ["api", "configs", "backend_test", *_]:
            return "backend_tests"
        case ["api", "backend", *_] | ["api", "configs", "backend", *_]:
            return "backends"
        case ["api", "configs", "dataset", *_]:
            return "dataset_configs"
        case ["api", "configs", "role", *_]:
            return "roles"
        case ["api", "configs", "history" | "diff", *_]:
            return "config_history"
        case ["api", "configs", *_]:
            return "configs"
        case ["api", "bucket", *_]:
            return "datasets"
        case ["api", "credentials", *_]:
            return "credentials"
        case ["api", "webhook", *_]:
            return "webhooks"
        case ["api", "job", *_]:
            return "jobs"
        case ["api", "app", *_]:
            return "apps"
        case ["api", "auth", "access_token", *_] | ["api", "auth", "user", _, "access_token", *_]:
            return "access_tokens"
        case ["api", "auth", "user" | "roles", *_]:
            return "users"
        case ["api", "auth", *_]:
            return "login"
        case ["api", "profile" | "users", *_]:
            return "profile"
        case _:
            return "service"


class Application(FastAPI):
    def __init__(self, services: Services) -> None:
        super().__init__(
            title="Xylem",
            openapi_url=DESCRIPTION,
            docs_url=None,
            redoc_url=None,
            generate_unique_id_function=lambda route: route.name,
            redirect_slashes=False,  # to a host that no client knows: the gateway's own
        )
        self.state.services = services
        self._loaded: set[Part] = set()
        errors.install(self)
        # Within the others, behind which every answer comes in parts and its size is not known.
        self.add_middleware(GZipMiddleware, minimum_size=large.COMPRESSED_BYTES, compresslevel=1)
        self.middleware("http")(once.once)
        self.middleware("http")(client_version.told)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            part = part_of(path)
            if too_large := _too_large(scope, LARGE.get(part, BODY_BYTES)):
                await too_large(scope, receive, send)
                return
            self.load(*(PARTS if path == DESCRIPTION else [part]))
        await super().__call__(scope, receive, _no_page(send))

    def load(self, *parts: Part) -> None:
        for part in parts:
            if part not in self._loaded:
                module = import_module(f"functions.core_service.routes.{part}")
                self.include_router(module.router)
                self._loaded.add(part)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            from functions.core_service.document import document  # noqa: PLC0415 - its docstring

            self.openapi_schema = document(self)
        return self.openapi_schema


def _no_page(send: Send) -> Send:
    """What users wrote is in what is answered: no browser takes any of it for a page
    (https://fetch.spec.whatwg.org/#x-content-type-options-header)."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["x-content-type-options"] = "nosniff"
        await send(message)

    return told


def _too_large(scope: Scope, most: int) -> JSONResponse | None:
    """Before anything is parsed. API Gateway hands a body over as a whole, some as base64."""
    event = scope.get("aws.event", {})
    body = event.get("body") or ""
    size = len(body) * 3 // 4 if event.get("isBase64Encoded") else len(body)
    if size <= most:
        return None
    message = f"The body has {size} bytes; the most here is {most}."
    return JSONResponse(errors.problem(message, "too_large"), status_code=413)
