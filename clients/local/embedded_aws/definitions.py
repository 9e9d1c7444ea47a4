"""Correction 1, definitions: what was created or changed is on disk when the caller is told.

Stock ministack writes functions, queues, APIs, parameters and stacks only in a clean shutdown; a
SIGTERM with an open WebSocket takes 30 s to get there, and kill -9 never does.

Seams. `app._dispatch_service_request` is passed by every call of an AWS API: after a call that
changes a definition its service is saved, before the answer leaves. CloudFormation answers first
and works afterwards, in the background and past all APIs, so while a stack is in progress
everything is saved twice a second, and once more when it is done. `app.load_state` and
`app.save_all` read and write through `state_files`. Shutdown then has nothing slow left to do.

Items of tables (`durable_items`) and objects of buckets (ministack writes each to its file) are not
definitions. Messages in queues are lost by kill -9, deliberately: rows are the truth, queues are
doorbells.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from clients.local.embedded_aws.seams import Seam
from clients.local.embedded_aws.state_files import StateFiles

log = logging.getLogger(__name__)

APP = "ministack.app"
LOAD_STATE = Seam(APP, "load_state", ("service",))
SAVE_ALL = Seam(APP, "save_all", ("services",))
SAVE_DICT = Seam(APP, "_build_persistence_save_dict", ())
STATE_MAP = Seam(APP, "_state_map")
FORMAT_VERSION = Seam("ministack.core.persistence", "_state_format_version", ("service",))
ENCODE = Seam("ministack.core.persistence", "_json_default", ("obj",))
DECODE = Seam("ministack.core.persistence", "_json_object_hook", ("obj",))
# Removes code blobs that the state *about to be* saved does not need; a crash before that save
# would leave the old state without its code.
PRUNE_CODE = Seam("ministack.services.lambda_svc", "_prune_orphan_code_blobs", ("referenced",))
STACKS = Seam("ministack.services.cloudformation", "_stacks")
SEAMS = (
    LOAD_STATE,
    SAVE_ALL,
    SAVE_DICT,
    STATE_MAP,
    FORMAT_VERSION,
    ENCODE,
    DECODE,
    PRUNE_CODE,
    STACKS,
)

STACK_SAVE_SECONDS = 0.5

COPY_ATTEMPTS = 5

# Calls that only read, by the verb that their names begin with.
_READING = (
    "BatchGet",
    "Describe",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Test",
    "Validate",
)
# Calls that change data, which is not a definition: it has its own way to the disk or needs none.
_DATA = frozenset(
    {
        "dynamodb:BatchExecuteStatement",
        "dynamodb:BatchWriteItem",
        "dynamodb:DeleteItem",
        "dynamodb:ExecuteStatement",
        "dynamodb:ExecuteTransaction",
        "dynamodb:PutItem",
        "dynamodb:TransactGetItems",
        "dynamodb:TransactWriteItems",
        "dynamodb:UpdateItem",
        "cloudwatch:PutMetricData",
        "events:PutEvents",
        "lambda:Invoke",
        "lambda:InvokeAsync",
        "lambda:InvokeFunction",
        "logs:PutLogEvents",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:PutObject",
        "sns:Publish",
        "sqs:ChangeMessageVisibility",
        "sqs:ChangeMessageVisibilityBatch",
        "sqs:DeleteMessage",
        "sqs:DeleteMessageBatch",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "sqs:SendMessageBatch",
        "sts:AssumeRole",
    }
)


def changes_definitions(action: str, method: str) -> bool:
    """Whether a call, by its IAM action, may change a definition.

    API Gateway is authorised by the HTTP verb alone (`apigateway:POST`).
    """
    if action in _DATA:
        return False
    _, _, operation = action.partition(":")
    if operation in ("POST", "PUT", "PATCH", "DELETE"):
        return True
    return method not in ("GET", "HEAD") and not operation.startswith(_READING)


class Definitions:
    """Saves the state of services, and everything while a stack is being worked on."""

    def __init__(self, files: StateFiles, *, modules_of: Callable[[str], tuple[str, ...]]) -> None:
        """`modules_of` a service: the modules of ministack that hold its state."""
        self._files = files
        self._modules_of = modules_of
        self._stack_watch: asyncio.Task[None] | None = None

    def save_service(self, service: str) -> None:
        modules = self._modules_of(service)
        self._save({k for k, module in STATE_MAP.get().items() if module in modules})

    def save_all(self) -> None:
        self._save(None)

    def watch_stacks(self) -> None:
        """Save everything until no stack is in progress, from the background."""
        if self._stack_watch is None or self._stack_watch.done():
            self._stack_watch = asyncio.create_task(self._save_while_stacks_change())

    async def _save_while_stacks_change(self) -> None:
        changing = True
        while changing:
            await asyncio.sleep(STACK_SAVE_SECONDS)
            changing = any(
                stack.get("StackStatus", "").endswith("_IN_PROGRESS")
                for stack in list(STACKS.get().all_values())
            )
            self.save_all()

    def _save(self, only: set[str] | None) -> None:
        for key, get_state in SAVE_DICT.get()().items():
            if only is None or key in only:
                state = _consistent(get_state)
                if state is not None:
                    self._files.save(key, state, version=FORMAT_VERSION.get()(key))


def _consistent(get_state: Callable[[], Any]) -> Any:
    """The state of a service that CloudFormation may be changing from another thread."""
    for _ in range(COPY_ATTEMPTS):
        try:
            return get_state()
        except RuntimeError as error:  # "dictionary changed size during iteration"
            log.debug("a definition changed while it was copied: %s", error)
    return get_state()


def install(files: StateFiles, definitions: Definitions) -> None:
    LOAD_STATE.put(files.load)
    SAVE_ALL.put(lambda services: definitions.save_all())
    PRUNE_CODE.wrap(_prune_what_is_old)


def _prune_what_is_old(prune: Callable[[set[str]], None]) -> Callable[[set[str]], None]:
    """Keep the code that the state before this one refers to: it may be the one on disk."""
    before: set[str] = set()

    def prune_orphan_code_blobs(referenced: set[str]) -> None:
        nonlocal before
        if before:
            prune(referenced | before)
        before = set(referenced)

    return prune_orphan_code_blobs
