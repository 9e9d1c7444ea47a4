"""docs/rows.md names every row that there is, with the keys that it has."""

import re
from pathlib import Path
from typing import get_args

from pynamodb.models import Model

from tests.builders import NOON
from xylem.domain.config import ConfigKind
from xylem.domain.dataset import DatasetId
from xylem.domain.ids import (
    BackendName,
    ConnectionId,
    GroupId,
    JobId,
    MailId,
    TaskName,
    UserName,
    WorkflowId,
)
from xylem.ports.task_tokens import Attempt
from xylem_aws.tables import (
    answers,
    apps,
    backends,
    catalog,
    configs,
    connections,
    identity,
    logs,
    sessions,
    workflows,
)
from xylem_aws.tables.keys import moment

ROWS = Path(__file__).parents[3] / "docs" / "rows.md"

WF = WorkflowId("<wf>")
GROUP = GroupId("0" + "f" * 31)
TASK = TaskName("<task>")
BACKEND = BackendName("<backend>")
USER = UserName("<user>")
A_DATASET = DatasetId("<id>")
ATTEMPT = Attempt(WF, GROUP, 41, TASK, 42)

Row = tuple[str, str, str]
"""The row's class, `pk`, `sk`."""

PLACEHOLDERS = {
    GROUP: "<group>",
    f"{42:06d}": "<retry>",
    f"{43:020d}": "<offset>",
    f"{44:010d}": "<revision>",
    f"{45:010d}": "<version>",
    f"{47:010d}": "<ordinal>",
    f"{48:03d}": "<part>",
    f"{54:010d}": "<window>",
    "#41": "#<incarnation>",
    "#42": "#<retry>",
    "#46": "#<restarts>",
    f"{52:012d}": "<number>",
    "#53": "#<number>",
    moment(NOON): "<time>",
    "G#<wf>#0": "G#<wf>#<shard>",
    "D#<wf>#0": "D#<wf>#<shard>",
}


def row(kind: type[Model], key: tuple[str, str]) -> Row:
    """As the document writes it."""
    parts = list(key)
    for value, name in PLACEHOLDERS.items():
        parts = [part.replace(value, name) for part in parts]
    all_, hash_ = re.compile(r"^L#all#\d+"), re.compile(r"[0-9a-f]{64}")
    parts = [hash_.sub("<hash of the key>", all_.sub("L#all#<shard>", part)) for part in parts]
    return kind.__name__, parts[0], parts[1]


def in_code() -> set[Row]:
    entries = workflows.entry_keys(WF, "<user>", "<pool>", NOON)
    return {
        row(workflows.WorkflowRow, workflows.workflow_key(WF)),
        row(workflows.UuidRow, workflows.uuid_key("<uuid>")),
        row(workflows.CountsRow, workflows.counts_key(WF, 0)),
        row(workflows.GroupRow, workflows.group_key(WF, GROUP)),
        row(workflows.TaskRow, workflows.task_key(WF, GROUP, TASK, 42)),
        row(workflows.DetailRow, workflows.detail_key(WF, GROUP, TASK, 42)),
        row(workflows.JobRow, workflows.job_key(JobId("<job>"))),
        row(workflows.AuditRow, workflows.audit_key(WF, "0000000045#<entity>")),
        *(row(workflows.EntryRow, key) for key in entries),
        row(workflows.CounterRow, workflows.counter_key("<name>")),
        row(workflows.IdempotencyRow, workflows.idempotency_key(USER, "any")),
        row(answers.AnswerRow, answers.answer_key(USER, "any")),
        row(backends.BackendRow, backends.backend_key(BACKEND)),
        row(backends.RegistrationRow, backends.registration_key(BACKEND)),
        row(backends.SeenRow, backends.seen_key(BACKEND)),
        row(backends.NodeRow, backends.node_key(BACKEND, "<node>")),
        row(
            backends.MailRow,
            backends.mail_key(BACKEND, MailId("<group>#<incarnation>#<ordinal>")),
        ),
        row(logs.ChunkRow, (logs.log_key(ATTEMPT), logs.chunk_key(43))),
        row(logs.MergedRow, (logs.log_key(ATTEMPT), logs.merged_key(43))),
        row(logs.EndRow, (logs.log_key(ATTEMPT), logs.END)),
        row(logs.SecretsRow, (logs.secrets_key(GROUP, 41), logs.secrets_part(47, 48))),
        row(logs.ArrivalRow, (logs.barrier_key(GROUP, 41, 46), "<task>#<retry>")),
        *(
            row(configs.ConfigRow, (kind, configs.CURRENT))
            for kind in map(configs.kind_key, ConfigKind)
        ),
        row(configs.ConfigRow, ("C#<type>", configs.revision_key(44))),
        row(identity.UserRow, (identity.user_key("<user>"), identity.USER)),
        row(identity.UserEntryRow, (identity.USERS, "<user>")),
        row(identity.HolderRow, (identity.role_key("<role>"), "<user>")),
        row(identity.TokenRow, (identity.user_key("<user>"), identity.token_key("<name>"))),
        row(identity.DigestRow, identity.digest_key("<sha256>")),
        row(identity.ProfileRow, (identity.user_key("<user>"), identity.PROFILE)),
        row(identity.SignedOutRow, (identity.user_key("<user>"), identity.SIGNED_OUT)),
        row(apps.AppRow, apps.app_key("<uuid>")),
        row(apps.AppRow, apps.listed_key(apps.AppRow(created_at=NOON, uuid="<uuid>"))),
        row(apps.AppNameRow, apps.name_key("<app>")),
        row(apps.AppUseRow, apps.use_key("<user>", "<uuid>")),
        row(
            identity.CredentialRow,
            (identity.user_key("<user>"), identity.credential_key("<name>")),
        ),
        row(connections.FollowerRow, (connections.followers_key(WF), "<connection>")),
        row(catalog.DatasetRow, catalog.dataset_key("<bucket>", "<dataset>")),
        row(catalog.PlaceRow, catalog.place_key(A_DATASET)),
        row(catalog.VersionRow, catalog.version_key(A_DATASET, 52)),
        row(catalog.ContentRow, (catalog.content_partition(A_DATASET, "<digit>"), "<hash>")),
        row(catalog.DueVersionRow, catalog.due_key(A_DATASET, 53, NOON)),
        row(
            connections.SocketRow,
            (connections.socket_key(ConnectionId("<connection>")), connections.SOCKET),
        ),
        row(connections.RateRow, connections.rate_key("<key>", 54)),
        row(sessions.SessionRow, sessions.session_key("<session>")),
        row(sessions.OpenSessionRow, sessions.open_session_key("<user>", "<session>")),
        row(
            connections.SocketRow,
            (connections.principal_key("<kind>", "<subject>"), "<connection>"),
        ),
    }


def test_the_document_has_the_places_of_the_index_that_finds_what_is_due() -> None:
    text = ROWS.read_text()
    kinds = get_args(workflows.DueKind)

    assert kinds
    for kind in kinds:
        assert f"`{workflows.due_partition(kind, 7).replace('7', '<shard>')}`" in text
    for name in ("due_at", "next_ring_at", "rings", "settling", "sweeping", "removing"):
        assert f"`{name}`" in text
        assert any(name in kind.get_attributes() for kind in ROWS_WITH_STATE)


ROWS_WITH_STATE = (workflows.GroupRow, workflows.WorkflowRow, workflows.JobRow)


def in_the_document() -> set[Row]:
    found = re.findall(r"^\| `(\w+Row)` \| `(.+?)` \| `(.+?)` \|", ROWS.read_text(), re.MULTILINE)
    return set(found)


def test_the_document_has_the_keys_of_the_code() -> None:
    assert in_the_document() == in_code()


def test_every_kind_of_row_is_written_down() -> None:
    modules = (
        *(answers, apps, backends, catalog, configs, connections),
        *(identity, logs, sessions, workflows),
    )
    kinds = {
        name
        for module in modules
        for name, kind in vars(module).items()
        if isinstance(kind, type)
        and issubclass(kind, Model)
        and name.endswith("Row")
        and kind.__module__ == module.__name__
    }

    assert {name for name, _, _ in in_the_document()} == kinds - {"ShardRow"}
