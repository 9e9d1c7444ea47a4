"""Answers that may be large: written in one go, and compressed for whoever takes that.

FastAPI makes a copy of every value before it writes it, which for 10,000 tasks takes longer than
all else that is done for them. Lambda gives 6 MB back, of which base64 takes a quarter; compressed,
10,000 tasks are a tenth of that, and httpx, requests, aiohttp and browsers take it.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic_core import to_json

from xylem.domain.errors import InvalidRequest

COMPRESSED_BYTES = 1_000_000
"""Below that it costs more than it saves."""

MOST_BYTES = 5_000_000


def answer(view: Mapping[str, Any], request: Request) -> Response:
    """Raises `InvalidRequest`."""
    body = to_json(view)
    if len(body) > MOST_BYTES and "gzip" not in request.headers.get("accept-encoding", ""):
        raise InvalidRequest(
            f"The answer has {len(body)} bytes, and at most {MOST_BYTES} are given uncompressed: "
            "send Accept-Encoding: gzip, or ask without groups (skip_groups=true)."
        )
    return Response(body, media_type="application/json")
