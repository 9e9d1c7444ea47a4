"""A service with something of everything in it, which each request finds as it was.

The application is the real one, and all that it stores is in memory. A request is asked in a copy
of the world: so none depends on another, and each is asked with the names of what there is.
"""

import copy
import json
from hashlib import md5
from typing import Any

from starlette.types import Receive, Scope, Send

from functions.core_service.api import DESCRIPTION, PARTS, Application
from tests.builders_spec import a_task, yaml_of
from tests.stories.dataset_world import DatasetWorld
from tests.stories.world import World
from tests.unit.functions.core_service.gateway import SUBMIT, Answer, ServicesOf
from xylem.domain.node import CORE, Amounts, Node
from xylem.ports.backends import NodeFacts

GIB = 1024**3
PROBE = {"name": "probe", "image": "alpine", "command": ["true"]}
CALLER = {"kind": "user", "subject": "alice", "roles": "osmo-admin"}

NAMES: dict[str, list[Any]] = {
    "pool_name": ["default", "default,default"],
    "task_name": ["a"],
    "group_name": ["a-group"],
    "workflow_id": ["runs-1", "failed-1"],
    "version_id": [1],
    "bucket": ["prod"],
    "alias": ["prod"],
    "user_id": ["bob"],
    "role_name": ["osmo-user", "osmo-admin"],
    "token_name": ["ci"],
    "platform_name": ["default"],
    "config_type": ["POOL", "ROLE", "WORKFLOW"],
    "revision": [1, 2],
    "retry_id": [0],
}
"""What a parameter may be, that there is."""

NAMES_BELOW = {
    "/api/workflow": ["runs-1", "failed-1"],
    "/api/pool": ["runs-1", "failed-1"],
    "/api/resources": ["node1"],
    "/api/credentials": ["c"],
    "/api/webhook": ["ci"],
    "/api/app": ["app"],
    "/api/bucket": ["DS"],
    "/api/backend": ["cluster-1"],
    "/api/configs/backend_test": ["nodes"],
    "/api/configs/backend": ["cluster-1"],
    "/api/configs/role": ["osmo-user", "team"],
    "/api/configs/pod_template": ["small"],
    "/api/configs/group_template": ["shared"],
    "/api/configs/resource_validation": ["cpu"],
    "/api/configs/pool": ["default"],
}
"""What `{name}` is, by how the path begins."""


def names_of(parameter: str, path: str) -> list[Any]:
    if parameter != "name":
        return NAMES.get(parameter, [])
    return next((names for below, names in NAMES_BELOW.items() if path.startswith(below)), [])


def a_world() -> World:
    datasets = DatasetWorld()
    world = datasets.world
    service = datasets.service

    def ask(method: str, path: str, body: Any = None, query: str = "") -> Answer:
        text = None if body is None else json.dumps(body)
        answer = service.ask(method, path, query=query, body=text, roles=CALLER["roles"])
        assert answer.status == 200, (method, path, answer.body)
        return answer

    runs = service.submit(yaml_of(a_task("a"), name="runs")).body["name"]
    failed = service.submit(yaml_of(a_task("a"), name="failed")).body["name"]
    world.settle()
    world.answer()
    world.up(runs, "a")
    world.up(failed, "a")
    world.exit(failed, "a", 1)
    world.settle()
    core = Amounts(cpu=16 * CORE, gpu=8, memory=64 * GIB, storage=200 * GIB)
    node = Node(name="node1", backend=world.backend, allocatable=core)
    world.backends.note_nodes(NodeFacts(world.backend, "boot-1", 1, (node,)))
    ask("POST", f"/api/configs/backend/{world.backend}", {"configs": {"description": "d"}})
    ask("POST", "/api/credentials/c", {"generic_credential": {"credential": {"k": "v"}}})
    ask("POST", "/api/webhook/ci", {"url": "https://ci.example.com/"})
    ask("POST", "/api/auth/user", {"id": "bob", "roles": ["osmo-user"]})
    ask("POST", "/api/auth/access_token/ci", query="expires_at=2027-01-01")
    ask("POST", "/api/auth/user/bob/access_token/ci", query="expires_at=2027-01-01")
    ask("POST", "/api/app/user/app", yaml_of(name="hello"), "description=d")
    ask("PUT", "/api/configs/pod_template/small", {"configs": {"spec": {"containers": [PROBE]}}})
    ask("PUT", "/api/configs/pod_template/spare", {"configs": {"spec": {"containers": [PROBE]}}})
    ask("PATCH", "/api/configs/workflow", {"configs_dict": {"workflow_info": {"tags": ["night"]}}})
    shared = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}}
    ask("PUT", "/api/configs/group_template/shared", {"configs": shared})
    test: dict[str, Any] = {"common_pod_template": ["small"], "node_conditions": ["ok"]}
    test |= {"name": "nodes", "description": "d", "cron_schedule": "0 3 * * *"}
    ask("PUT", "/api/configs/backend_test/nodes", {"configs": test})
    rule = {"operator": "LE", "left_operand": "{{USER_CPU}}", "right_operand": "{{K8_CPU}}"}
    rules = [{**rule, "assert_message": "too many"}]
    ask("PUT", "/api/configs/resource_validation/cpu", {"configs": rules})
    policy = {"actions": ["workflow:*"], "resources": ["pool/default"]}
    team = {"name": "team", "description": "d", "policies": [policy]}
    ask("PUT", "/api/configs/role/team", {"configs": team})
    _fill(datasets, ask)
    ask("POST", "/api/bucket/prod/dataset/BOTH/collect", {"datasets": [{"name": "DS"}]})
    return world


def _fill(world: DatasetWorld, ask: Any) -> None:
    """A dataset of one file."""
    at, body = "/api/bucket/prod/dataset/DS", b"hello"
    etag = md5(body).hexdigest()

    def put(place: Any, content: bytes) -> None:
        headers = {name.lower(): value for name, value in place["headers"].items()}
        status, *_ = world.world.dataset_store.answer("PUT", place["url"], headers, content)
        assert status == 200

    ask("POST", at, {"metadata": {}})
    contents = {"contents": [{"etag": etag, "size": len(body)}]}
    wanted = ask("POST", f"{at}/uploads", contents, "version_id=1").body["contents"]
    put(wanted[0]["put"], body)
    ask("POST", f"{at}/uploads", contents, "version_id=1")
    listing = json.dumps([{"relative_path": "a.txt", "etag": etag, "size": len(body)}]).encode()
    digest = md5(listing).hexdigest()
    place = ask("POST", f"{at}/listing", {"md5": digest, "size": len(listing)}, "version_id=1")
    put(place.body, listing)
    ask("POST", at, query=f"finish=true&version_id=1&manifest={digest}")


class System:
    """ASGI, as API Gateway and Mangum call it; `document` is what the API says of itself."""

    def __init__(self) -> None:
        self._world = a_world()
        self._app = Application(ServicesOf(self._world))
        self._app.load(*PARTS)
        self.document = self._app.openapi()

    def another_world(self) -> World:
        return copy.deepcopy(self._world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            event = {"requestContext": {"authorizer": {"lambda": CALLER}}}
            scope = {**scope, "aws.event": event}
            self._app.state.services = ServicesOf(self.another_world())
        await self._app(scope, receive, send)


__all__ = ["DESCRIPTION", "SUBMIT", "System", "names_of"]
