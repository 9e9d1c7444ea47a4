"""The acceptance cases: specs and events with the outcomes that OSMO's own engine gave.

`XYLEM_ACCEPTANCE_CASES` names the file (default: `../shared/reference/acceptance-cases.yaml`
beside the repository); its head explains the events.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stories.world import USER, World
from xylem.domain.credential import Credential, CredentialKind
from xylem.domain.deadlines import deadline
from xylem.domain.group import Group
from xylem.domain.ids import TaskName, WorkflowId
from xylem.domain.status import TaskStatus
from xylem.protocol import agent
from xylem.usecases import again, submit, timers
from xylem.usecases.queries import Described, describe

ROOT = Path(__file__).parents[2]
FILE = Path(
    os.environ.get("XYLEM_ACCEPTANCE_CASES")
    or ROOT.parent / "shared" / "reference" / "acceptance-cases.yaml"
)
OSMO = {"max_retry_per_task": 0}
"""What the cases were run with where they say nothing else. OSMO has one number for both causes;
ours is more generous by default to what the infrastructure did (`docs/osmo-differences.md`)."""


def _cases() -> list[Any]:
    if not FILE.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"there is no {FILE.name} here"))]
    return [pytest.param(case, id=case["id"]) for case in yaml.safe_load(FILE.read_text())]


@pytest.mark.parametrize("case", _cases())
def test_acceptance(case: dict[str, Any]) -> None:
    story = _Story(case)
    for event in case["events"]:
        for name, what in event.items():
            story.happen(name, what)
        story.world.settle()
    story.check(case["expect"])


class _Story:
    """A case while it is told. `workflow` is the newest: after a restart, the new one."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.world = World()
        self._configure({**OSMO, **case.get("config", {})})
        for name, payload in case.get("credentials", {}).items():
            secret = Credential(name, CredentialKind.GENERIC, None, payload)
            self.world.credentials.put(USER, secret, replacing=None, now=self.world.clock())
        parameters = case.get("params", {})
        self.workflow = self.world.submit(
            case["spec"],
            set_variables=case.get("sets", ()),
            env_vars=parameters.get("env_vars", ()),
            labels=parameters.get("label", ()),
            priority=parameters.get("priority", "NORMAL"),
        )
        self.world.settle()

    def _configure(self, config: dict[str, Any]) -> None:
        retries = config.pop("max_retry_per_task")
        self.world.configure(max_retry_per_task=retries, max_retry_disrupted=retries)
        assert not config, f"settings that this test does not know: {', '.join(config)}"

    def happen(self, name: str, what: Any) -> None:
        world, workflow = self.world, self.workflow
        match name:
            case "up":
                world.up(workflow, *what)
            case "exit":
                for task, code in what.items():
                    world.exit(workflow, task, code)
            case "pod":
                for task, (status, code, message) in what.items():
                    world.pod(workflow, task, status, code, message=message)
            case "node_lost":
                self._lose_node(what)
            case "cancel":
                message, force = what.get("message", ""), what.get("force", False)
                world.cancel(workflow, message=message, force=force)
            case "exec_timeout" | "queue_timeout":
                _time_passes(world, workflow, world.group(workflow, what))
            case "start_timeout":
                group = next(g for g in world.look(workflow).groups if g.task(TaskName(what)))
                _time_passes(world, workflow, group)
            case "restart":
                self._submit(again.restart(workflow, by=USER, **self._stores()))
            case "resubmit":
                self._submit(again.resubmission(workflow, by=USER, **self._stores()))
            case "check":
                world.settle()
                self.check(what)
            case _:
                pytest.fail(f"an event that this test does not know: {name}")

    def _stores(self) -> dict[str, Any]:
        return {"workflows": self.world.workflows, "store": self.world.store}

    def _submit(self, request: submit.Request) -> None:
        parent = self.workflow
        self.workflow = self.world.submit_request(request)
        assert self.world.look(self.workflow).workflow.parent == parent

    def _lose_node(self, node: str) -> None:
        """Its pods are gone with it: of a case whose pods say no node, all of them."""
        for group in self.world.look(self.workflow).groups:
            for task in group.tasks:
                seen = task.status.rank >= TaskStatus.SCHEDULING.rank and not task.status.final
                if seen and task.node in (None, node):
                    self.world.pod(
                        self.workflow, task.name, "FAILED_BACKEND_ERROR", 3001, disrupted=True
                    )

    def check(self, expected: dict[str, Any]) -> None:
        found = describe(self.workflow, workflows=self.world.workflows, with_earlier_attempts=True)
        groups = {group.name: str(group.status) for group in found.groups}
        for what, wanted in expected.items():
            match what:
                case "wf":
                    assert found.workflow.status == wanted
                case "cancelled_by":
                    assert found.workflow.cancel is not None
                    assert found.workflow.cancel.by == wanted
                case "labels":
                    assert found.workflow.labels == wanted
                case "only_groups":
                    assert sorted(groups) == sorted(wanted)
                case "groups":
                    assert {name: groups[name] for name in wanted} == wanted
                case "tasks":
                    for name, status in wanted.items():
                        _check_task(found, name, status)
                case _:
                    pytest.fail(f"an expectation that this test does not know: {what}")


def _check_task(found: Described, name: str, status: str) -> None:
    """`name`: of the newest attempt; `name#retry`: of that one."""
    task_name, _, retry = name.partition("#")
    attempts = [
        task
        for group in found.groups
        for task in (*found.earlier.get(group.id, ()), *group.tasks)
        if task.name == task_name
    ]
    task = next(one for one in attempts if str(one.retry) == retry) if retry else attempts[-1]
    code = "" if task.exit_code is None else f"({task.exit_code})"
    given = f"{task.status}{code}" if "(" in status else str(task.status)
    assert (name, given) == (name, status)


def _time_passes(world: World, workflow: WorkflowId, group: Group) -> None:
    """Until the group's deadline; the cluster, when it is asked, shows every pod as it was."""
    due = deadline(group)
    assert due is not None, f"{group.name} has no deadline"
    world.clock.advance(due - world.clock())
    timers.look(workflow, group.id, engine=world)
    world.settle()
    [question] = [job for job in world.cluster.jobs if job.kind == "observe"]
    world.cluster.jobs.remove(question)
    pods = [
        {
            "workflow": workflow,
            "group": group.id,
            "incarnation": group.incarnation,
            "task": task.name,
            "retry": task.retry,
            "uid": task.uid or "",
            "status": task.status,
            "bound": True,
        }
        for task in group.tasks
        if task.status.rank >= TaskStatus.SCHEDULING.rank
    ]
    answer = {"workflow": workflow, "job_id": question.job_id, "status": "done"}
    world.say(agent.JobResult.model_validate({**answer, "observations": pods}))
