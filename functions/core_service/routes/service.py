"""The service itself: its version, and whether it answers."""

from fastapi import APIRouter

router = APIRouter()

API_VERSION = {"major": "6", "minor": "4", "revision": "0", "hash": ""}
"""Of OSMO's API, which this one is a superset of: OSMO's client compares it with its own version.
"""


@router.get("/api/version")
@router.get("/client/version", name="client_version")
def version() -> dict[str, str]:
    return API_VERSION


@router.get("/health")
def health() -> dict[str, str]:
    return {"status": "OK"}
