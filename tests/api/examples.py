"""An example of every operation: a request, and what was answered to it.

    python -m tests.api.examples        writes functions/core_service/examples.json

Each is asked of a world in which there is something of everything (`tests/api/system.py`), so the
answers are real ones. A test asks again, and compares. What has no success to show (OSMO's
sessions, which are refused) has none.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from functions.core_service.document import EXAMPLES_FILE as FILE
from tests.api.system import CALLER, System, names_of
from tests.builders_spec import a_task, yaml_of
from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.ids import GroupId, JobId, WorkflowId
from xylem.ports.jobs import Job, StartGroups

Json = dict[str, Any]


class Asked(NamedTuple):
    """`names`: of the path, where others than those that there are stand in it."""

    query: str = ""
    body: Any = None
    names: Mapping[str, str] = {}


POOL = {"backend": "cluster-1", "default_platform": "cpu", "platforms": {"cpu": {}}}
TEMPLATE = {"spec": {"containers": [{"name": "probe", "image": "alpine", "command": ["true"]}]}}
GROUP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}}
RULE = {
    "operator": "LE",
    "left_operand": "{{USER_CPU}}",
    "right_operand": "{{K8_CPU}}",
    "assert_message": "Value {{USER_CPU}} too high for CPU",
}
TEST = {
    "name": "nodes",
    "description": "Whether a pod starts",
    "cron_schedule": "0 3 * * *",
    "common_pod_template": ["small"],
    "node_conditions": ["ok"],
}
ROLE = {
    "name": "team",
    "description": "Workflows of a team",
    "policies": [{"actions": ["workflow:*"], "resources": ["pool/default"]}],
}
BUCKET = {"dataset_path": "s3://sets/lab"}
ETAG = "5d41402abc4b2a76b9719d911017c592"
MEMBER = [{"name": "DS", "tag": "latest"}]
SPEC = yaml_of(a_task("train"), name="train")
TOKEN = f"{1:T>43}"
A_JOB = JobId("0" * 31 + "1")

ASKED: dict[str, Asked] = {
    "POST /api/pool/{pool_name}/workflow": Asked(body={"file": SPEC}),
    "POST /api/pool/{pool_name}/workflow/{name}/restart": Asked(names={"name": "failed-1"}),
    "GET /api/workflow": Asked("all_pools=true&order=DESC&limit=1"),
    "GET /api/task": Asked("all_pools=true&limit=1"),
    "POST /api/workflow/{name}/sessions": Asked(body={"task": "a", "purpose": "exec"}),
    "PUT /api/configs/pool": Asked(body={"configs": {"cpu-pool": POOL}}),
    "PUT /api/configs/pool/{name}": Asked(body={"configs": POOL}, names={"name": "cpu-pool"}),
    "PATCH /api/configs/pool/{name}": Asked(body={"configs_dict": {"description": "For all"}}),
    "PUT /api/configs/pool/{name}/rename": Asked(body={"new_name": "main"}),
    "PUT /api/configs/pool/{name}/platform/{platform_name}": Asked(
        body={"configs": {"description": "Without GPUs"}}, names={"platform_name": "cpu"}
    ),
    "PUT /api/configs/pool/{name}/platform/{platform_name}/rename": Asked(body={"new_name": "cpu"}),
    "PUT /api/configs/pod_template": Asked(body={"configs": {"small": TEMPLATE}}),
    "PUT /api/configs/pod_template/{name}": Asked(body={"configs": TEMPLATE}),
    "DELETE /api/configs/pod_template/{name}": Asked(names={"name": "spare"}),
    "PUT /api/configs/group_template": Asked(body={"configs": {"shared": GROUP}}),
    "PUT /api/configs/group_template/{name}": Asked(body={"configs": GROUP}),
    "PUT /api/configs/resource_validation": Asked(body={"configs_dict": {"cpu": [RULE]}}),
    "PUT /api/configs/resource_validation/{name}": Asked(body={"configs": [RULE]}),
    "POST /api/configs/backend/{name}": Asked(body={"configs": {"description": "Our first"}}),
    "DELETE /api/configs/backend/{name}": Asked(body={"force": True}),
    "PUT /api/configs/backend_test": Asked(body={"configs": {"nodes": TEST}}),
    "PUT /api/configs/backend_test/{name}": Asked(body={"configs": TEST}),
    "PATCH /api/configs/backend_test/{name}": Asked(
        body={"configs_dict": {"cron_schedule": "0 4 * * *"}}
    ),
    "PUT /api/configs/workflow": Asked(body={"configs": {"max_num_tasks": 1000}}),
    "PATCH /api/configs/workflow": Asked(body={"configs_dict": {"max_num_tasks": 1000}}),
    "PUT /api/configs/service": Asked(body={"configs": {}}),
    "PATCH /api/configs/service": Asked(
        body={"configs_dict": {"service_auth": {"max_token_duration": "90d"}}}
    ),
    "PUT /api/configs/role": Asked(body={"configs": [ROLE]}),
    "PUT /api/configs/role/{name}": Asked(body={"configs": ROLE}, names={"name": "team"}),
    "DELETE /api/configs/role/{name}": Asked(names={"name": "team"}),
    "GET /api/configs/diff": Asked("config_type=ROLE&first_revision=1&second_revision=2"),
    "GET /api/configs/history": Asked("config_types=ROLE&order=DESC&limit=1&omit_data=true"),
    "POST /api/configs/history/rollback": Asked(body={"config_type": "ROLE", "revision": 1}),
    "DELETE /api/configs/history/{config_type}/revision/{revision}": Asked(
        names={"config_type": "ROLE"}
    ),
    "POST /api/configs/history/{config_type}/revision/{revision}/tags": Asked(
        body={"set_tags": ["before-the-move"]}, names={"config_type": "ROLE"}
    ),
    "POST /api/credentials/{name}": Asked(
        body={"generic_credential": {"credential": {"token": "..."}}}, names={"name": "wandb"}
    ),
    "PUT /api/backend/{name}": Asked(body={"digest": "5d" * 32}, names={"name": "cluster-2"}),
    "PUT /api/configs/dataset": Asked(body={"configs": {"buckets": {"lab": BUCKET}}}),
    "PATCH /api/configs/dataset": Asked(body={"configs_dict": {"buckets": {"lab": BUCKET}}}),
    "PATCH /api/configs/dataset/{alias}": Asked(body={"configs_dict": {"description": "Frozen"}}),
    "POST /api/workflow/{name}/tag": Asked("add=night"),
    "POST /api/auth/jwt/access_token": Asked(body={"token": TOKEN}),
    "GET /api/auth/jwt/access_token": Asked(f"access_token={TOKEN}"),
    "POST /api/bucket/{bucket}/dataset/{name}/recollect": Asked(
        body={"add_datasets": MEMBER}, names={"name": "BOTH"}
    ),
    "GET /api/bucket/{bucket}/query": Asked("command=name%20%3D%20%22DS%22"),
    "POST /api/bucket/{bucket}/dataset/{name}/recover": Asked("all_flag=true"),
    "POST /api/bucket/{bucket}/dataset/{name}/collect": Asked(
        body={"datasets": MEMBER}, names={"name": "ALL"}
    ),
    "POST /api/bucket/{bucket}/dataset/{name}/downloads": Asked(
        "version_id=1", body={"etags": [ETAG]}
    ),
    "POST /api/app/user/{name}": Asked("description=Trains", SPEC, {"name": "train"}),
    "PATCH /api/app/user/{name}": Asked(body=SPEC),
    "DELETE /api/app/user/{name}": Asked("all_versions=true"),
    "POST /api/app/user/{name}/rename": Asked(body="greeter"),
    "POST /api/auth/user": Asked(body={"id": "ci", "roles": ["osmo-user"]}),
    "POST /api/auth/user/{user_id}/roles": Asked(body={"role_name": "osmo-admin"}),
    "POST /api/auth/roles/{role_name}/users": Asked(body={"user_ids": ["bob", "nobody"]}),
    "POST /api/auth/access_token/{token_name}": Asked(
        "expires_at=2027-01-01", names={"token_name": "laptop"}
    ),
    "POST /api/auth/user/{user_id}/access_token/{token_name}": Asked(
        "expires_at=2027-01-01", names={"token_name": "laptop"}
    ),
    "POST /api/webhook/{name}": Asked(
        body={"url": "https://ci.example.com/hooks/xylem"}, names={"name": "other"}
    ),
    "POST /api/profile/settings": Asked(body={"pool": "default", "email_notification": True}),
    "GET /api/job/{id}": Asked(names={"id": A_JOB}),
    "DELETE /api/job/{id}": Asked(names={"id": A_JOB}),
    "POST /api/job/{id}/retry": Asked("attempts=2", names={"id": A_JOB}),
}

MASKED = {"secret": "whsec_...", "token": "..."}
"""Of answers: what is made anew each time, or looks like a secret that somebody lost."""


def examples() -> dict[str, Json]:
    """By operation: `request`, where it has a body, and `answer`."""
    system = System()
    return {name: one for name, one in _examples(system) if one}


def _examples(system: System) -> Iterator[tuple[str, Json]]:
    for path, methods in sorted(system.document["paths"].items()):
        for method in sorted(methods):
            name = f"{method.upper()} {path}"
            asked = ASKED.get(name, Asked())
            answer = _asked(system, method.upper(), _filled(path, asked.names), asked)
            if answer.status != 200:
                continue
            example: Json = {"answer": _shown(answer.body)}
            if asked.body is not None:
                example["request"] = asked.body
            yield name, example


def _asked(system: System, method: str, path: str, asked: Asked) -> Answer:
    world = system.another_world()
    world.jobs.add(
        Job(
            A_JOB,
            StartGroups(WorkflowId("runs-1"), (GroupId("0" * 32),)),
            next_ring_at=world.clock(),
            not_before=world.clock(),
            attempts=5,
            last_error="NotFound: the spec of runs-1 is gone",
        )
    )
    body = None if asked.body is None else json.dumps(asked.body)
    return CoreService(world).ask(method, path, query=asked.query, body=body, roles=CALLER["roles"])


def _filled(path: str, names: Mapping[str, str]) -> str:
    for name in re.findall(r"\{(\w+)\}", path):
        known = names_of(name, path)
        value = names.get(name, known[0] if known else "x")
        path = path.replace(f"{{{name}}}", str(value))
    return path


def _shown(body: Any) -> Any:
    body = copy.deepcopy(body)
    if isinstance(body, dict):
        for key in MASKED.keys() & body.keys():
            if isinstance(body[key], str):
                body[key] = MASKED[key]
    return body


def main() -> None:
    made = examples()
    Path(FILE).write_text(json.dumps(made, indent=1, sort_keys=True) + "\n")
    print(f"{len(made)} examples in {FILE.name}")


if __name__ == "__main__":
    main()
