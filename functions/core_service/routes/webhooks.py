"""Webhooks of whoever asks: who hears of his workflows' ends. Ours alone."""

import secrets
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from functions.core_service.identity import User
from functions.core_service.services import Has
from functions.core_service.text import Text
from functions.core_service.views import View
from xylem.domain.notification import a_secret
from xylem.domain.target import URL_CHARS
from xylem.usecases import webhooks

router = APIRouter(prefix="/api/webhook")

SECRET_BYTES = 32


class NewWebhook(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://ci.example.com/hooks/xylem"}}
    )

    url: Annotated[Text, Field(min_length=1, max_length=URL_CHARS)]


@router.get("")
def list_webhooks(who: User, has: Has) -> View:
    found = webhooks.listed(who.subject, credentials=has.credentials)
    return {"webhooks": [{"name": one.name, "url": one.url} for one in found]}


@router.post("/{name}")
def create_webhook(name: str, body: NewWebhook, who: User, has: Has) -> View:
    """With the secret that its messages are signed with, this once."""
    made = webhooks.create(
        who.subject,
        name,
        body.url,
        secret=lambda: a_secret(secrets.token_bytes(SECRET_BYTES)),
        credentials=has.credentials,
        clock=has.engine.clock,
        policy=has.receivers,
    )
    return {"name": made.name, "url": made.url, "secret": made.secret}


@router.delete("/{name}")
def delete_webhook(name: str, who: User, has: Has) -> View:
    gone = webhooks.delete(who.subject, name, credentials=has.credentials)
    return {"name": gone.name, "url": gone.url}
