"""Webhooks of yours: who hears that a workflow of yours ended."""

from clients.sdk.connection import Connection, segment
from clients.sdk.models import Answer

PATH = "/api/webhook"


class Webhook(Answer):
    name: str
    url: str


class NewWebhook(Webhook):
    secret: str


class WebhookList(Answer):
    webhooks: list[Webhook]


class Webhooks:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def listed(self) -> list[Webhook]:
        return self._connection.ask(WebhookList, "GET", PATH).webhooks

    def create(self, name: str, url: str) -> NewWebhook:
        """With the secret that its messages are signed with, which is told this once."""
        answer = self._connection.send_once("POST", f"{PATH}/{segment(name)}", json={"url": url})
        return NewWebhook.model_validate_json(answer.content)

    def delete(self, name: str) -> Webhook:
        return self._connection.ask(Webhook, "DELETE", f"{PATH}/{segment(name)}")
