"""`xylem webhook`, before the real service."""

import json

import httpx

from tests.unit.clients.cli.service_world import ServiceWorld

URL = "https://ci.example.com/hook"


def test_a_webhook_is_made_with_a_secret_that_is_shown_once() -> None:
    world = ServiceWorld()

    said = world.xylem("webhook", "set", "ci", URL)
    listed = world.done("webhook", "list")

    secret = said.out.strip()
    assert secret.startswith("whsec_")
    assert "not shown again" in said.err
    assert "ci" in listed and URL in listed
    assert secret not in listed


def test_a_secret_whose_answer_was_lost_is_the_one_that_counts() -> None:
    """The request is sent again under its key."""
    world = ServiceWorld()
    lost: list[httpx.Request] = []

    def lose(request: httpx.Request) -> None:
        if request.method == "POST" and not lost:
            lost.append(request)
            raise httpx.ReadError("cut")

    world.after = lose
    made = json.loads(world.done("webhook", "set", "ci", URL, "-t", "json"))

    assert len(lost) == 1
    assert made["secret"].startswith("whsec_")


def test_a_token_whose_answer_was_lost_is_the_one_that_there_is() -> None:
    world = ServiceWorld()
    lost: list[httpx.Request] = []

    def lose(request: httpx.Request) -> None:
        if request.method == "POST" and not lost:
            lost.append(request)
            raise httpx.ReadError("cut")

    world.after = lose

    assert len(world.done("token", "set", "laptop").strip()) == 43


def test_a_webhook_is_deleted_after_a_question() -> None:
    world = ServiceWorld()
    world.done("webhook", "set", "ci", URL)

    assert world.xylem("webhook", "delete", "ci", stdin="n\n").code == 0
    assert "ci" in world.done("webhook", "list")
    world.done("webhook", "delete", "ci", "--force")
    assert "No webhooks" in world.done("webhook", "list")


def test_an_address_that_is_not_public_is_refused_in_the_services_words() -> None:
    said = ServiceWorld().xylem("webhook", "set", "x", "https://10.0.0.1/")

    assert said.code != 0
    assert "no public address" in said.err
