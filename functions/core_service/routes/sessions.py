"""Reaching into a running task: a session is made, and the caller told how to attach to it."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from functions.core_service.identity import User
from functions.core_service.names import Name
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.usecases import sessions

router = APIRouter(prefix="/api/workflow/{name}/sessions")


class NewSession(BaseModel):
    """`retry`: which attempt; the newest, where none is said."""

    task: Annotated[Text, Field(min_length=1, max_length=256)]
    purpose: Literal["exec", "port-forward", "rsync"] = "exec"
    retry: Annotated[int | None, Field(ge=0, lt=10**9)] = None


@router.post("")
def create_session(name: Name, body: NewSession, who: User, has: Has) -> View:
    """404 no such task; 410 it has ended; 425 it does not run yet; 403 somebody else's; 429 too
    many are open; 503 its cluster's operator is offline. `docs/session-protocol.md` says how to
    attach."""
    made = sessions.create(who, name, body.task, body.purpose, retry=body.retry, has=has.entering)
    session = made.session
    return {
        "session": session.id,
        "token": made.token,
        "websocket_url": has.websocket_url,
        "workflow_id": session.workflow,
        "task": session.task,
        "retry": session.retry,
        "expires_at": session.expires_at.isoformat(),
    }
