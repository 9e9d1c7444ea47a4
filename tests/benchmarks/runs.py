"""Workflows that the benchmarks submit, and what became of them."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clients.sdk.client import Client, SubmitRequest
from clients.sdk.login import Login, current_login

HELLO = Path(__file__).parents[2] / "examples" / "hello.yaml"
WIDE = Path(__file__).with_name("wide.yaml")


def a_login() -> Login:
    login = current_login(os.environ)
    if login is None:
        sys.exit("Start a stack first: `xylem local up`.")
    return login


def submit_hello(client: Client, pool: str) -> str:
    return client.submit(SubmitRequest(spec=HELLO.read_text(), pool=pool)).name


def submit_wide(client: Client, pool: str, *, tasks: int) -> str:
    request = SubmitRequest(
        spec=WIDE.read_text(),
        template=WIDE.read_text(),
        pool=pool,
        set_variables=[f"tasks={tasks}"],
    )
    return client.submit(request).name


def unfinished(client: Client, names: Sequence[str]) -> Sequence[str]:
    """Those from the first on that is not COMPLETED: it says enough about the others for now.

    Ends the program when it never will be."""
    for place, name in enumerate(names):
        status = client.query(name).status
        if status.startswith(("FAILED", "CANCELED")):
            sys.exit(f"{name} is {status}: look at `xylem workflow query {name}`")
        if status != "COMPLETED":
            return names[place:]
    return []


def wait_for(client: Client, names: Sequence[str], *, seconds: float, pause: float = 0.2) -> None:
    """Ask until all are COMPLETED."""
    end = time.monotonic() + seconds
    while names := unfinished(client, names):
        if time.monotonic() > end:
            sys.exit(f"{len(names)} workflows are not done after {seconds:.0f} s: {names[0]} …")
        time.sleep(pause)  # each look is a request that the bill would count
