"""OSMO's table of negative and edge submissions (`reference/osmo-workflow-model.md`, 7.1), row by
row: each is a clear 4xx that names the place in the YAML, or is carried out; none is a 500.

What comes of a cancel while something is under way is told in `tests/stories`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.builders import BACKEND, a_pool
from tests.builders_placement import a_node
from tests.builders_spec import a_task, yaml_of
from tests.unit.functions.core_service.gateway import Answer, CoreService
from xylem.domain.credential import Credential, CredentialKind
from xylem.domain.ids import UserName
from xylem.domain.pool import GpuQuota, TopologyKey
from xylem.domain.status import WorkflowStatus
from xylem.ports.backends import NodeFacts

ALICE = UserName("alice")


@dataclass(frozen=True, slots=True)
class Row:
    """`says`: the message in part, its path among it. `kept`: as FAILED_SUBMISSION."""

    spec: str
    status: int
    code: str = ""
    says: tuple[str, ...] = ()
    kept: bool = False
    query: str = ""
    pool: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


def reads(task: str, *of: str) -> dict[str, Any]:
    return a_task(task, inputs=[{"task": one} for one in of])


def wants(**resources: Any) -> str:
    return yaml_of(resources={"default": resources})


def uses(credential: str, key: str) -> str:
    return yaml_of(a_task(credentials={credential: {"TOKEN": key}}))


GROUP_OF_TWO = [{"name": "g", "tasks": [a_task("a", lead=True), reads("b", "a")]}]
ROWS = {
    "forward reference": Row(yaml_of(reads("a", "b"), a_task("b")), 200),
    "self reference": Row(
        yaml_of(reads("a", "a")), 400, "SUBMISSION", ("workflow.tasks[0].inputs[0].task: ",)
    ),
    "cycle": Row(
        yaml_of(reads("a", "b"), reads("b", "a")),
        400,
        "SUBMISSION",
        ("].inputs[0].task: ", "in a circle"),
    ),
    "same-group dependency": Row(
        yaml_of(groups=GROUP_OF_TWO),
        400,
        "SUBMISSION",
        ("workflow.groups[0].tasks[1].inputs[0].task: ",),
    ),
    "input of an unknown task": Row(
        yaml_of(reads("a", "nobody")),
        400,
        "SUBMISSION",
        ("workflow.tasks[0].inputs[0].task: Task input nobody does not exist.",),
    ),
    "undefined resource": Row(
        yaml_of(a_task(resource="big")), 400, "RESOURCE", ("workflow.tasks[0].resource: ",)
    ),
    "no default resource": Row(
        yaml_of(resources={"big": {}}), 400, "RESOURCE", ("workflow.tasks[0]",)
    ),
    "memory 1GB": Row(
        wants(memory="1GB"), 400, "RESOURCE", ("workflow.resources.default.memory: ", "GB")
    ),
    "unknown topology key": Row(
        wants(topology=[{"key": "rack"}]),
        400,
        "SUBMISSION",
        ("workflow.resources.default.topology[0].key: rack is no topology key",),
        kept=True,
    ),
    "cpu above any node": Row(
        wants(cpu=1000), 400, "RESOURCE", ("workflow.resources.default: ", "(line "), kept=True
    ),
    "unknown platform": Row(
        wants(platform="nope"),
        400,
        "RESOURCE",
        ("workflow.resources.default.platform: ", "(line "),
        kept=True,
    ),
    "a mount that is not allowed": Row(
        yaml_of(a_task(volumeMounts=["/etc"])),
        400,
        "RESOURCE",
        ("workflow.tasks[0].volumeMounts[0]: ", "(line "),
        kept=True,
    ),
    "privileged": Row(
        yaml_of(a_task(privileged=True)),
        400,
        "RESOURCE",
        ("workflow.tasks[0].privileged: ", "(line "),
        kept=True,
    ),
    "hostNetwork": Row(
        yaml_of(a_task(hostNetwork=True)),
        400,
        "RESOURCE",
        ("workflow.tasks[0].hostNetwork: ", "(line "),
        kept=True,
    ),
    "missing credential": Row(
        uses("nope", "value"),
        400,
        "CREDENTIAL",
        ("workflow.tasks[0].credentials.nope: ", "(line "),
        kept=True,
    ),
    "bad key of a credential": Row(
        uses("token", "valu"),
        400,
        "CREDENTIAL",
        ("workflow.tasks[0].credentials.token: ", "(line "),
        kept=True,
    ),
    "url foo": Row(
        yaml_of(a_task(inputs=[{"url": "foo"}])),
        400,
        "USAGE",
        ("workflow.tasks[0].inputs[0].url: ",),
        kept=True,
    ),
    "duplicate names": Row(
        yaml_of(a_task("a_b"), a_task("A-b")), 400, "USAGE", ("workflow.tasks[1]",), kept=True
    ),
    "command as string": Row(
        yaml_of(a_task(command="true")), 400, "USAGE", ("workflow.tasks[0].command: ",), kept=True
    ),
    "workflow name bad.name": Row(yaml_of(name="bad.name"), 400, "USAGE", ("workflow.name: ",)),
    "65-char workflow name": Row(
        yaml_of(name="a" * 65), 400, "USER", ("workflow.name: ",), kept=True
    ),
    "65-char task name": Row(
        yaml_of(a_task("a" * 65)), 400, "USER", ("workflow.tasks[0].name: ",), kept=True
    ),
    "bad YAML": Row("workflow:\n  name: [\n", 400, "USAGE", ("line ",)),
    "Jinja undefined": Row('workflow:\n  name: "{{ n }}"\n', 400, "USAGE", ("'n' is undefined",)),
    "a length in a script": Row(yaml_of(a_task(args=["echo ${#x[@]}"])), 200),
    "21 tasks": Row(
        yaml_of(*(a_task(f"t{number}") for number in range(21))),
        400,
        "USER",
        ("workflow has 21 tasks", "max_num_tasks"),
        config={"max_num_tasks": 20},
    ),
    "validate of a failing spec": Row(
        yaml_of(taks=[]), 400, "USAGE", ("workflow.taks: ",), query="validation_only=true"
    ),
    "dry_run of an invalid spec": Row(yaml_of(taks=[]), 200, query="dry_run=true"),
    "--label team": Row(yaml_of(), 400, "USAGE", ("Label team", "KEY=VALUE"), query="label=team"),
    "env A": Row(yaml_of(), 400, "USAGE", ("NAME=VALUE",), query="env_vars=A"),
    "env B=x=y": Row(yaml_of(), 200, query="env_vars=B%3Dx%3Dy"),
    "pool: other inside the spec": Row(yaml_of(pool="other"), 200),
    "version: 7": Row(yaml_of() + "version: 7\n", 200),
    "a task of an unknown workflow": Row(
        yaml_of(reads("r", "gone-7:x")),
        400,
        "DATABASE",
        ("workflow.tasks[0].inputs[0].task: ", "gone-7", "(line "),
        kept=True,
    ),
    "an unfinished task of an earlier workflow": Row(
        yaml_of(reads("r", "prev-1:a")),
        400,
        "SUBMISSION",
        ("workflow.tasks[0].inputs[0].task: ", "no output to read yet", "(line "),
        kept=True,
    ),
    "gpu above the guarantee, NORMAL": Row(
        wants(gpu=2),
        400,
        "USAGE",
        ("workflow.tasks[0]: ", "guarantees 1", "(line "),
        kept=True,
        pool={"gpu": GpuQuota(1)},
    ),
    "gpu above the guarantee, LOW": Row(
        wants(gpu=2), 200, query="priority=LOW", pool={"gpu": GpuQuota(1)}
    ),
    "pool in maintenance": Row(
        yaml_of(), 400, "USAGE", ("under maintenance",), pool={"maintenance": True}
    ),
    "priority=URGENT": Row(yaml_of(), 422, "USAGE", ("query.priority",), query="priority=URGENT"),
}


def a_service(row: Row) -> CoreService:
    """With a pool of one node, a credential of alice's, and a workflow that does not run yet."""
    service = CoreService()
    world = service.world
    known: dict[str, Any] = {"topology_keys": (TopologyKey("zone", "topology/zone"),)}
    world.pools.put(a_pool(**{**known, **row.pool}), author=ALICE, now=world.clock())
    world.backends.note_nodes(NodeFacts(BACKEND, "boot", 1, (a_node(),)))
    secret = Credential("token", CredentialKind.GENERIC, None, {"value": "secret"})
    world.credentials.put(ALICE, secret, replacing=None, now=world.clock())
    return service


@pytest.mark.parametrize("name", ROWS)
def test_each_row_of_osmos_table_has_its_answer(name: str) -> None:
    row = ROWS[name]
    service = a_service(row)
    if "prev-1" in row.spec:
        service.submit(yaml_of(name="prev"))
    world = service.world
    changes = {"keep_refused_submissions": True, **row.config}
    world.configure(**changes)

    answer = service.submit(row.spec, query=row.query)

    assert answer.status == row.status, answer.body
    if row.status != 200:
        assert answer.body["error_code"] == row.code
        assert [part for part in row.says if part not in answer.body["message"]] == []
    assert (refusals(service) == [answer.body.get("message")]) == row.kept


def refusals(service: CoreService) -> list[str]:
    stored = service.world.rows.stored_workflows.values()
    kept = [one.value for one in stored if one.value.status is WorkflowStatus.FAILED_SUBMISSION]
    return [one.refusal for one in kept]


def test_an_unknown_pool() -> None:
    answer = CoreService().ask("POST", "/api/pool/nope/workflow", body='{"file": "workflow:"}')

    assert (answer.status, answer.body["error_code"]) == (400, "USER")
    assert "Pool nope not found." in answer.body["message"]


def restarted(spec: str, **parameters: str) -> Answer:
    """A workflow that failed, and what a restart of it is answered."""
    service = a_service(Row(spec, 200, pool={"gpu": GpuQuota(1)}))
    name = service.submit(spec, **parameters).body["name"]
    world = service.world
    world.settle()
    world.up(name, "a")
    world.exit(name, "a", 1)
    world.settle()
    return service.ask("POST", f"/api/pool/default/workflow/{name}/restart")


def test_a_restart_of_a_low_workflow_above_the_guarantee() -> None:
    assert restarted(wants(gpu=2), query="priority=LOW").status == 200


def test_a_restart_of_a_workflow_whose_limit_is_90_minutes() -> None:
    assert restarted(yaml_of(timeout={"exec_timeout": "90m"})).status == 200
