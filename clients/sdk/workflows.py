"""Workflows: submit them, see what became of them, end them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from clients.sdk.connection import Connection, Parameter, moment, parsed, segment, workflow_path
from clients.sdk.models import (
    ArtifactPage,
    AuditPage,
    AuditRecord,
    SessionGrant,
    Submission,
    Tags,
    WhyPending,
    Workflow,
    WorkflowPage,
)


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    spec: str
    pool: str
    set_variables: Sequence[str] = ()
    """`NAME=VALUE`, with a value that may be a number."""
    set_string_variables: Sequence[str] = ()
    env_vars: Sequence[str] = ()
    labels: Sequence[str] = ()
    priority: str | None = None
    template: str | None = None
    """What the user wrote, where `spec` is what the service made of it."""
    app: tuple[str, int] | None = None
    """The uuid and version of the app that it is."""


class WorkflowCalls(Connection):
    def submit(self, request: SubmitRequest) -> Submission:
        key = {"Idempotency-Key": self._new_key()}
        return parsed(Submission, self._post_spec(request, {}, headers=key))

    def validate(self, request: SubmitRequest) -> Submission:
        """All checks of a submission, and no workflow."""
        return parsed(Submission, self._post_spec(request, {"validation_only": True}))

    def render(self, request: SubmitRequest) -> str:
        """What the service makes of the template."""
        answer = parsed(Submission, self._post_spec(request, {"dry_run": True}))
        return answer.spec or ""

    def list_workflows(
        self,
        *,
        limit: int = 20,
        offset: int = 0,
        cursor: str | None = None,
        name: str | None = None,
        statuses: Sequence[str] = (),
        users: Sequence[str] = (),
        all_users: bool = False,
        pools: Sequence[str] = (),
        labels: Sequence[str] = (),
        without_labels: Sequence[str] = (),
        tags: Sequence[str] = (),
        priorities: Sequence[str] = (),
        app: str | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> WorkflowPage:
        """The newest first. `cursor`: of the page before this one; `app`: NAME or NAME:VERSION;
        `after` and `before`: submitted then."""
        asked: dict[str, Parameter] = {
            "statuses": statuses,
            "name": name,
            "users": users,
            "all_users": all_users or None,
            "order": "DESC",
            "pools": pools,
            "all_pools": None if pools else True,
            "label": labels,
            "no_label": without_labels,
            "tags": tags,
            "priority": priorities,
            "app": app,
            "submitted_after": moment(after),
            "submitted_before": moment(before),
            "limit": limit,
            "offset": offset,
            "cursor": cursor,
        }
        return parsed(WorkflowPage, self.get("/api/workflow", asked))

    def query(self, workflow: str, *, verbose: bool = False) -> Workflow:
        return parsed(Workflow, self.get(workflow_path(workflow), {"verbose": verbose}))

    def spec(self, workflow: str, *, template: bool = False) -> str:
        return self.get(workflow_path(workflow, "spec"), {"use_template": template}).text

    def events(self, workflow: str, *, task: str | None = None, retry: int | None = None) -> str:
        """What its cluster said of its pods so far, a line each, by time; of a task that of its
        newest attempt, or of `retry`."""
        asked: dict[str, Parameter] = {"task_name": task, "retry_id": retry}
        return self.get(workflow_path(workflow, "events"), asked).text

    def audit(self, workflow: str) -> Iterator[AuditRecord]:
        """Every change of the workflow, page by page, in no order of time."""
        cursor: str | None = ""
        while cursor is not None:
            asked: dict[str, Parameter] = {"cursor": cursor or None}
            page = parsed(AuditPage, self.get(workflow_path(workflow, "audit"), asked))
            yield from page.records
            cursor = page.cursor

    def artifacts(
        self, workflow: str, *, task: str | None = None, cursor: str | None = None
    ) -> ArtifactPage:
        """Files that the tasks which ended left, a page of them."""
        asked: dict[str, Parameter] = {"task_name": task, "cursor": cursor}
        return parsed(ArtifactPage, self.get(workflow_path(workflow, "artifacts"), asked))

    def why_pending(self, workflow: str) -> WhyPending:
        return parsed(WhyPending, self.get(workflow_path(workflow, "why-pending"), {}))

    def restart(self, workflow: str, *, pool: str) -> Submission:
        """A new workflow of what did not complete of one that failed."""
        path = f"/api/pool/{segment(pool)}/workflow/{segment(workflow)}/restart"
        answer = self.send("POST", path, headers={"Idempotency-Key": self._new_key()})
        return parsed(Submission, answer)

    def resubmit(
        self, workflow: str, *, pool: str, labels: Sequence[str] = (), priority: str | None = None
    ) -> Submission:
        """A new workflow of the same spec."""
        answer = self.send(
            "POST",
            f"/api/pool/{segment(pool)}/workflow",
            parameters={"workflow_id": workflow, "label": labels, "priority": priority},
            headers={"Idempotency-Key": self._new_key()},
        )
        return parsed(Submission, answer)

    def cancel(self, workflow: str, *, message: str | None = None, force: bool = False) -> None:
        """Asked again it changes nothing, but that `force` ends the grace of what still runs."""
        asked: dict[str, Parameter] = {"message": message, "force": force}
        self.send("POST", workflow_path(workflow, "cancel"), parameters=asked)

    def tags(self) -> list[str]:
        """Those that workflows may be given."""
        return parsed(Tags, self.get("/api/tag", {})).tags

    def tag(self, workflow: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        asked: dict[str, Parameter] = {"add": add, "remove": remove}
        self.send("POST", workflow_path(workflow, "tag"), parameters=asked)

    def create_session(
        self, workflow: str, task: str, *, purpose: str = "exec", retry: int | None = None
    ) -> SessionGrant:
        """The right to reach into a running task, for once; `clients.sdk.sessions` uses it."""
        body = {"task": task, "purpose": purpose, "retry": retry}
        return parsed(
            SessionGrant, self.send("POST", workflow_path(workflow, "sessions"), json=body)
        )

    def _post_spec(
        self,
        request: SubmitRequest,
        mode: dict[str, Parameter],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return self.send(
            "POST",
            f"/api/pool/{segment(request.pool)}/workflow",
            parameters={
                **mode,
                "priority": request.priority,
                "label": request.labels,
                "env_vars": request.env_vars,
                "app_uuid": request.app[0] if request.app else None,
                "app_version": request.app[1] if request.app else None,
            },
            json={
                "file": request.spec,
                "set_variables": list(request.set_variables),
                "set_string_variables": list(request.set_string_variables),
                "uploaded_templated_spec": request.template,
            },
            headers=headers,
        )
