"""What our operators ask of Kubernetes, and the only file that knows its client.

The functions are as narrow as the rights in `chart/templates/rbac.yaml`: each verb on each kind
that is used here is granted there, and nothing else (`tests/contract/operators/test_rights.py`).
They take and give the API's own JSON. The client's model classes are left out: to read one pod
through them costs more CPU than the rest of a job. JSON is read by pydantic's parser, in half the
time of the standard library's, and repeated strings are kept once. What the client is used for is
what it does well: configuration (a kubeconfig, or the service account of the pod, whose token it
renews), TLS and a pool of connections that are kept alive.

Every request has a time limit. A read without resourceVersion is a quorum read, and these are the
only ones: a stale cache would lose healthy tasks. All functions block; `operators.shared.calls`
runs them in a few threads. Nothing is tried again here: who asked knows what a repetition means.
"""

import json
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException
from pydantic_core import from_json

from operators.shared.resources import (
    Conflict,
    Expired,
    Json,
    Kind,
    KubeError,
    NotFound,
    Page,
    Refused,
    Throttled,
    Unreachable,
    WatchEvent,
)

CONNECT_SECONDS = 5
READ_SECONDS = 30
"""Far below the 15 minutes within which an anchor outlives every request that may still travel."""

PAGE = 250
"""Half of what client-go's reflectors take: a pod of 10 KB is 60 KB of dictionaries, and three
lists may be under way at a time."""

WATCH_SECONDS = 240
"""The API server ends a watch after this; then it begins anew where it was. Client-go takes 5 to 10
minutes; a shorter time finds a connection that died in silence sooner."""

WATCH_SILENCE_SECONDS = WATCH_SECONDS + 30

RETRY_SECONDS = 1
"""What the API server asks for when it is told no other (kubernetes.io/docs/concepts/
cluster-administration/flow-control; k8s.io/apiserver/pkg/server/filters: `retryAfter`)."""

MOST_RETRY_SECONDS = 60.0

JSON_PATCH = "application/json-patch+json"


class BadConfiguration(Exception):
    """The cluster cannot be asked at all; the message says what to set."""


class Kube:
    def __init__(self, *, namespace: str, kubeconfig: str | None, connections: int) -> None:
        """`kubeconfig` None: the service account of the pod. Raises `BadConfiguration`."""
        configuration = _configuration(kubeconfig)
        configuration.connection_pool_maxsize = connections
        configuration.retries = False
        self.namespace = namespace
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._client = ApiClient(configuration)
        self._pool = self._client.rest_client.pool_manager

    def cluster_uid(self) -> str:
        """The uid of the namespace kube-system: the usual name of a cluster."""
        found = self._request("GET", "/api/v1/namespaces/kube-system")
        return str(found["metadata"]["uid"])

    def read(self, kind: Kind, name: str) -> Json:
        return self._request("GET", self._path(kind, name))

    def create(self, kind: Kind, body: Json) -> Json:
        """Raises `Conflict` where the name is taken."""
        return self._request("POST", self._path(kind), body=body)

    def replace(self, kind: Kind, body: Json) -> Json:
        """Compare and swap: raises `Conflict` unless the object is the version in `body`."""
        if not body["metadata"].get("resourceVersion"):
            raise ValueError("an object is only replaced under the version that was read")
        return self._request("PUT", self._path(kind, body["metadata"]["name"]), body=body)

    def patch(self, kind: Kind, name: str, operations: list[Json]) -> Json:
        """A JSON patch. Raises `Refused` (422) where one of its tests fails."""
        path = self._path(kind, name)
        return self._request("PATCH", path, body=operations, content_type=JSON_PATCH)

    def delete(
        self,
        kind: Kind,
        name: str,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        """Raises `Conflict` unless the object has this uid and this version."""
        options: Json = {"apiVersion": "v1", "kind": "DeleteOptions"}
        options["propagationPolicy"] = "Background"
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        expected = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {key: value for key, value in expected.items() if value is not None}
        if preconditions:
            options["preconditions"] = preconditions
        self._request("DELETE", self._path(kind, name), body=options)

    def page(self, kind: Kind, selector: str, following: str | None = None) -> Page:
        """One page of a consistent list. Raises `Expired` when the list has to begin anew."""
        query = {**_selectors(kind, selector), "limit": str(PAGE)}
        if following is not None:
            query["continue"] = following
        found = self._request("GET", self._path(kind), query=query)
        metadata = found.get("metadata") or {}
        return Page(
            items=found.get("items") or [],
            resource_version=metadata.get("resourceVersion") or "",
            next=metadata.get("continue") or None,
        )

    def kind(self, api_version: str, name: str) -> Kind:
        """As the cluster's discovery has it; what was found stays found. Raises `NotFound`."""
        if (api_version, name) not in self._kinds:
            self._kinds[api_version, name] = self._discovered(api_version, name)
        return self._kinds[api_version, name]

    def _discovered(self, api_version: str, name: str) -> Kind:
        unknown = NotFound(404, f"the cluster knows no {name} of {api_version}: is it installed?")
        try:
            found = self._request("GET", Kind(api_version, name, "").root)
        except NotFound:
            raise unknown from None
        for one in found.get("resources") or ():
            if one.get("kind") == name and "/" not in one["name"]:
                return Kind(api_version, name, one["name"], namespaced=bool(one["namespaced"]))
        raise unknown

    def watch(self, kind: Kind, selector: str, resource_version: str) -> Iterator[WatchEvent]:
        """What happens after `resource_version`, until the API server ends it. When this returns
        the API server has begun it. Raises `Expired`, then or later."""
        query = {
            **_selectors(kind, selector),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        url = self._url(self._path(kind), query)
        response = self._send("GET", url, None, "application/json", WATCH_SILENCE_SECONDS)
        if response.status != 200:
            raise _refusal(response, self._content(response, url))
        return _events(response)

    def stream(self, path: str) -> tuple[str, dict[str, str], ssl.SSLContext | None]:
        """Where a WebSocket to this path is dialled, with which headers and which TLS."""
        known = self._client.configuration
        headers: dict[str, str] = {}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        scheme, _, rest = known.host.partition("://")
        if scheme == "http":
            return f"ws://{rest}{path}", headers, None
        secure = ssl.create_default_context(cafile=known.ssl_ca_cert)
        if known.cert_file:
            secure.load_cert_chain(known.cert_file, known.key_file)
        if not known.verify_ssl:
            secure.check_hostname = False
            secure.verify_mode = ssl.CERT_NONE
        return f"wss://{rest}{path}", headers, secure

    def _path(self, kind: Kind, name: str | None = None) -> str:
        place = f"/namespaces/{quote(self.namespace)}" if kind.namespaced else ""
        path = f"{kind.root}{place}/{kind.plural}"
        if name is None:
            return path
        return f"{path}/{quote(name)}{f'/{kind.part}' if kind.part else ''}"

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        asked = f"?{urlencode(query)}" if query else ""
        return f"{self._client.configuration.host}{path}{asked}"

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Json:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        response = self._send(method, self._url(path, query), data, content_type, READ_SECONDS)
        content = self._content(response, path)
        if response.status >= 300:
            raise _refusal(response, content)
        try:
            return cast("Json", from_json(content))
        except _BROKEN as error:
            raise Unreachable(f"{method} {path}: {error}") from error

    def _content(self, response: urllib3.BaseHTTPResponse, where: str) -> bytes:
        try:
            return response.data
        except _BROKEN as error:
            raise Unreachable(f"{where}: {error}") from error

    def _send(
        self, method: str, url: str, data: bytes | None, content_type: str, read_seconds: float
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], url, method, None)
        try:
            return self._pool.request(
                method,
                url,
                body=data,
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
                preload_content=False,
            )
        except _BROKEN as error:
            raise Unreachable(f"{method} {url}: {error}") from error


_BROKEN = (urllib3.exceptions.HTTPError, OSError, ssl.SSLError, ValueError)
"""The last one: an answer that was cut short."""


def _configuration(kubeconfig: str | None) -> Configuration:
    configuration = Configuration()
    load = cast("Any", config)  # the client has hints in part only
    try:
        if kubeconfig is None:
            load.load_incluster_config(configuration)
        else:
            load.load_kube_config(kubeconfig, client_configuration=configuration)
    except ConfigException as error:
        where = "in this pod" if kubeconfig is None else f"in {kubeconfig}"
        raise BadConfiguration(
            f"No usable Kubernetes configuration {where} ({error}): set KUBECONFIG to a kubeconfig "
            f"file, or run in a pod with a service account."
        ) from error
    return configuration


def _selectors(kind: Kind, selector: str) -> dict[str, str]:
    fields = {"fieldSelector": kind.fields} if kind.fields else {}
    return {"labelSelector": selector, **fields}


def _events(response: urllib3.BaseHTTPResponse) -> Iterator[WatchEvent]:
    try:
        for line in _lines(response):
            event = from_json(line)
            if event["type"] == "ERROR":
                status = event["object"]
                raise _error(int(status.get("code", 500)), str(status.get("message", "")))
            yield WatchEvent(event["type"], event["object"])
    except _BROKEN as error:
        raise Unreachable(f"the watch broke: {error}") from error
    finally:
        response.close()


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for piece in response.stream(amt=None):
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line for line in lines if line.strip())


def _refusal(response: urllib3.BaseHTTPResponse, content: bytes) -> KubeError:
    try:
        message = str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        message = content.decode(errors="replace")[:500]
    if response.status == 429:
        return Throttled(f"HTTP 429: {message}", _seconds(response.headers.get("Retry-After", "")))
    return _error(response.status, message)


def _seconds(text: str) -> float:
    """The API server writes whole seconds; a date, which HTTP allows as well, it never does."""
    asked = int(text) if text.isdecimal() else RETRY_SECONDS
    return min(float(asked), MOST_RETRY_SECONDS)


def _error(status: int, message: str) -> KubeError:
    if status in {401, 429} or status >= 500:  # 401: the token is being renewed
        return Unreachable(f"HTTP {status}: {message}")
    meaning = {404: NotFound, 409: Conflict, 410: Expired}
    return meaning.get(status, Refused)(status, message)
