"""The HTTP API: one door for all paths, because Kubernetes' paths are regular.

A request is authenticated, parsed into a target, given to the registry, and answered when what it
saw or wrote is durable. The token comes as a bearer token or, from a kubectl that sends no token
over plain HTTP (client-go does not), as the password in the server's URL.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import yaml
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from operators.desk_cluster.api import discovery, lists, streams
from operators.desk_cluster.api.paths import Target, parse
from operators.desk_cluster.api.tables import table
from operators.desk_cluster.api.watches import Watch
from operators.desk_cluster.budgets import hindrance
from operators.desk_cluster.errors import (
    ApiError,
    BadRequest,
    Expired,
    MethodNotAllowed,
    NotFound,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)
from operators.desk_cluster.faults import Faults
from operators.desk_cluster.faults import parse as parse_fault
from operators.desk_cluster.kinds import BUDGETS, PODS
from operators.desk_cluster.objects import Json, name_of, namespace_of, uid_of
from operators.desk_cluster.patches import json_patch, merge_patch, strategic_merge
from operators.desk_cluster.registry import DeleteOptions, Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from operators.desk_cluster.node_lifecycle import NodeLifecycle

# client-go's reflectors ask for 5 to 10 minutes; the API server's own default is 30 and more.
_WATCH_SECONDS = 1800.0

# Where a node's fault is set; see `faults`.
_FAULTS = "/desk/nodes/"

# The kinds whose deletion is answered with the object, not with a Status (ReturnDeletedObject).
_RETURNED_WHEN_DELETED = ("pods", "services", "serviceaccounts", "persistentvolumeclaims")


class Kubelet(streams.Containers, Protocol):
    """What the kubelet does with a container for whoever asks."""

    def open(self, pod: Json, query: Mapping[str, str]) -> AsyncIterator[bytes]: ...


class Api:
    def __init__(
        self,
        registry: Registry,
        kubelet: Kubelet,
        nodes: NodeLifecycle,
        faults: Faults,
        *,
        token: str,
        status: Callable[[], Json],
    ) -> None:
        self._registry = registry
        self._store = registry.store
        self._kubelet = kubelet
        self._nodes = nodes
        self._faults = faults
        self._token = token
        self._status = status
        self._watches: set[Watch] = set()
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        self.asgi = Starlette(
            routes=[
                Route("/{path:path}", self._handle, methods=methods),
                WebSocketRoute("/{path:path}", self._converse),
            ]
        )

    def end_watches(self) -> None:
        """Before the server stops: it waits for every answer to end."""
        for watch in tuple(self._watches):
            watch.end()

    async def _handle(self, request: Request) -> Response:
        try:
            self._authenticate(request.headers.get("authorization", ""))
            answer = await self._answer(request)
            await self._store.durable()
        except ApiError as error:
            return JSONResponse(error.status(), status_code=error.code)
        return answer

    async def _converse(self, socket: WebSocket) -> None:
        try:
            self._authenticate(socket.headers.get("authorization", ""))
            target = parse(socket.url.path)
            if target is None or target.kind is not PODS or not target.name:
                raise NotFound("the server could not find the requested resource")
            await streams.serve(socket, target, self._registry, self._kubelet)
        except ApiError as error:
            await streams.refuse(socket, error)

    def _authenticate(self, header: str) -> None:
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() == "basic":
            credentials = _password(credentials)
        if not secrets.compare_digest(credentials.strip().encode(), self._token.encode()):
            raise Unauthorized("Unauthorized")

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        target = parse(path)
        if target is None and path.startswith(_FAULTS) and request.method == "POST":
            fault = parse_fault(_parsed(await request.body(), request))
            self._faults.set(path.removeprefix(_FAULTS), fault)
            return JSONResponse({"fault": fault.kind})
        if target is None:
            return self._about(request.method, path)
        if request.method == "GET":
            return self._read(target, request)
        body = await request.body()
        if (target.kind, target.subresource, request.method) == (PODS, "eviction", "POST"):
            return self._evict(target, request, _parsed(body, request))
        if target.subresource not in ("", "status") or (
            target.subresource == "status" and not target.kind.has_status
        ):
            raise NotFound("the server could not find the requested resource")
        match request.method, bool(target.name):
            case "POST", False:
                return self._create(target, request, _parsed(body, request))
            case "PUT", True:
                return self._replace(target, request, _parsed(body, request))
            case "PATCH", True:
                return self._patch(target, request, body)
            case "DELETE", True:
                return self._delete(target, request, body)
            case "DELETE", False:
                return self._delete_all(target, request, body)
        raise MethodNotAllowed("the server does not allow this method on the requested resource")

    def _about(self, method: str, path: str) -> Response:
        if method != "GET":
            raise NotFound("the server could not find the requested resource")
        if path in ("/healthz", "/readyz", "/livez"):
            return Response("ok", media_type="text/plain")
        if path == "/desk/status":
            return JSONResponse(self._status())
        if path == "/openapi/v2":
            return Response(discovery.openapi(), media_type=discovery.OPENAPI_PROTOBUF)
        found = discovery.document(path)
        if found is None:
            raise NotFound("the server could not find the requested resource")
        return JSONResponse(found)

    # ---- reading

    def _read(self, target: Target, request: Request) -> Response:
        query = request.query_params
        if target.subresource == "log" and target.kind is PODS:
            pod = self._registry.get(PODS, target.namespace, target.name)
            return StreamingResponse(self._kubelet.open(pod, query), media_type="text/plain")
        if target.name and target.subresource in ("", "status"):
            obj = self._registry.get(target.kind, target.namespace, target.name)
            return JSONResponse(self._shape(target, request)(obj))
        if target.subresource:
            raise NotFound("the server could not find the requested resource")
        if query.get("watch") in ("1", "true"):
            return self._watch(target, request)
        return self._list(target, request)

    def _list(self, target: Target, request: Request) -> Response:
        found = lists.page(self._store, target.kind, target.namespace, request.query_params)
        metadata: Json = {"resourceVersion": str(found.version)}
        if found.following:
            metadata["continue"] = found.following
            metadata["remainingItemCount"] = found.remaining
        include = _table_wanted(request)
        if include:
            now = self._registry.now()
            body = table(target.kind, found.items, now, include, str(found.version))
            body["metadata"] = metadata
            return JSONResponse(body)
        return JSONResponse(
            {
                "kind": f"{target.kind.kind}List",
                "apiVersion": target.kind.api_version,
                "metadata": metadata,
                "items": found.items,
            }
        )

    def _watch(self, target: Target, request: Request) -> Response:
        query = request.query_params
        version = lists.watch_version(query)
        matches = lists.matching(target.kind, query)
        watch = Watch(self._store, target.kind, target.namespace, matches)
        try:
            if version:
                watch.replay(version)
            else:
                found = self._store.all_of(target.kind.plural, target.namespace)
                watch.begin_with([obj for obj in found if matches(obj)])
        except Expired as error:
            line = json.dumps({"type": "ERROR", "object": error.status()}) + "\n"
            return Response(line, media_type="application/json")
        self._watches.add(watch)
        seconds = float(query.get("timeoutSeconds") or _WATCH_SECONDS)
        bookmarks = query.get("allowWatchBookmarks") in ("1", "true")
        shape = self._shape(target, request)
        lines = self._streamed(watch, watch.lines(seconds, bookmarks=bookmarks, shape=shape))
        return StreamingResponse(lines, media_type="application/json")

    async def _streamed(self, watch: Watch, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for line in lines:
                yield line
        finally:
            watch.close()
            self._watches.discard(watch)

    def _shape(self, target: Target, request: Request) -> Callable[[Json], Json]:
        include = _table_wanted(request)
        if not include:
            return lambda obj: obj
        version = str(self._store.revision)
        return lambda obj: table(target.kind, [obj], self._registry.now(), include, version)

    # ---- writing

    def _create(self, target: Target, request: Request, body: Json) -> Response:
        namespace = target.namespace
        if target.kind.namespaced and not namespace:
            raise BadRequest("an object of this kind is created in a namespace")
        made = self._registry.create(target.kind, namespace, body, dry_run=_dry_run(request))
        return JSONResponse(self._shape(target, request)(made), status_code=HTTPStatus.CREATED)

    def _replace(self, target: Target, request: Request, body: Json) -> Response:
        return self._update(target, request, lambda _: body)

    def _patch(self, target: Target, request: Request, body: bytes) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0]
        patch = _parsed(body, request)
        match content_type:
            case "application/json-patch+json":
                return self._update(target, request, lambda old: json_patch(old, patch))
            case "application/merge-patch+json":
                return self._update(target, request, lambda old: merge_patch(old, patch))
            case "application/strategic-merge-patch+json":
                return self._update(target, request, lambda old: strategic_merge(old, patch))
        raise UnsupportedMediaType(
            f"the desk cluster takes JSON, merge and strategic merge patches, not {content_type!r}"
        )

    def _update(self, target: Target, request: Request, change: Callable[[Json], Json]) -> Response:
        stored = self._registry.update(
            target.kind,
            target.namespace,
            target.name,
            change,
            status=target.subresource == "status",
            dry_run=_dry_run(request),
        )
        return JSONResponse(self._shape(target, request)(stored))

    def _delete(self, target: Target, request: Request, body: bytes) -> Response:
        options = _delete_options(request, body)
        last = self._registry.delete(target.kind, target.namespace, target.name, options)
        gone = self._registry.find(target.kind, target.namespace, target.name) is None
        if gone and target.kind.plural not in _RETURNED_WHEN_DELETED:
            details = {"name": name_of(last), "kind": target.kind.plural, "uid": uid_of(last)}
            if target.kind.group:
                details["group"] = target.kind.group
            body_: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
            return JSONResponse({**body_, "status": "Success", "details": details})
        return JSONResponse(last)

    def _evict(self, target: Target, request: Request, body: Json) -> Response:
        pod = self._registry.get(PODS, target.namespace, target.name)
        options = _options_of(request, body.get("deleteOptions") or {})
        pods = self._store.all_of(PODS.plural, target.namespace)
        budgets = self._store.all_of(BUDGETS.plural, target.namespace)
        if found := hindrance(pod, pods, budgets):
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            causes = [{"reason": "DisruptionBudget", "message": f"The disruption budget {found}"}]
            raise TooManyRequests(message, {"causes": causes})
        message = "Eviction API: evicting"
        self._nodes.evict(pod, options, reason="EvictionByEvictionAPI", message=message)
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return JSONResponse({**status, "code": 201}, status_code=HTTPStatus.CREATED)

    def _delete_all(self, target: Target, request: Request, body: bytes) -> Response:
        if target.kind.namespaced and not target.namespace:
            raise MethodNotAllowed("objects of this kind are deleted within a namespace")
        options = _delete_options(request, body)
        found = lists.page(self._store, target.kind, target.namespace, request.query_params)
        deleted = [
            self._registry.delete(target.kind, namespace_of(obj), name_of(obj), options)
            for obj in found.items
        ]
        return JSONResponse(
            {
                "kind": f"{target.kind.kind}List",
                "apiVersion": target.kind.api_version,
                "metadata": {"resourceVersion": str(self._store.revision)},
                "items": deleted,
            }
        )


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _parsed(body: bytes, request: Request) -> Any:
    content_type = request.headers.get("content-type", "")
    if "protobuf" in content_type or "cbor" in content_type:
        raise UnsupportedMediaType("the desk cluster takes JSON and YAML")
    try:
        if "yaml" in content_type:
            return yaml.safe_load(body)
        return json.loads(body)
    except (ValueError, yaml.YAMLError) as error:
        raise BadRequest(f"the body of the request is not JSON: {error}") from None


def _table_wanted(request: Request) -> str:
    """What of the objects the table's rows carry; empty where objects are wanted as they are."""
    if "as=Table" not in request.headers.get("accept", ""):
        return ""
    return request.query_params.get("includeObject") or "Metadata"


def _dry_run(request: Request) -> bool:
    return request.query_params.get("dryRun") == "All"


def _delete_options(request: Request, body: bytes) -> DeleteOptions:
    sent = _parsed(body, request) if body.strip() else {}
    if not isinstance(sent, dict):
        raise BadRequest("the body of a deletion is DeleteOptions")
    return _options_of(request, sent)


def _options_of(request: Request, sent: Json) -> DeleteOptions:
    query = request.query_params
    grace = sent.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    preconditions = sent.get("preconditions") or {}
    orphan = sent.get("orphanDependents", query.get("orphanDependents"))
    propagation = sent.get("propagationPolicy", query.get("propagationPolicy"))
    if propagation is None and orphan in (True, "true"):
        propagation = "Orphan"
    return DeleteOptions(
        grace_seconds=None if grace is None else int(grace),
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        propagation=propagation,
        dry_run=_dry_run(request) or "All" in (sent.get("dryRun") or ()),
    )
