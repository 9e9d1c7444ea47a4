"""What a request says of a change of configs: beside the config, in words of OSMO."""

from typing import Annotated

from pydantic import BaseModel, Field

from functions.core_service.text import Text
from xylem.domain.config import ConfigKind, Note

DESCRIPTION_CHARS = 1_000
TAGS = 50
TAG_CHARS = 100
MOST_REVISION = 10**9

Tag = Annotated[Text, Field(min_length=1, max_length=TAG_CHARS)]
Tags = Annotated[list[Tag], Field(max_length=TAGS)]


class Change(BaseModel):
    """`expected_revision`: the newest of the kind as its author saw it. Where that is another by
    now, nothing is written."""

    description: Annotated[Text, Field(max_length=DESCRIPTION_CHARS)] | None = None
    tags: Tags | None = None
    expected_revision: Annotated[int, Field(ge=1, le=MOST_REVISION)] | None = None


def noted(body: Change | None, kind: ConfigKind, name: str, otherwise: str) -> Note:
    """`otherwise`: what is kept where nothing was said, as OSMO words it."""
    description = body.description if body is not None else None
    tags = body.tags if body is not None else None
    expected = body.expected_revision if body is not None else None
    kept = None if tags is None else tuple(tags)
    return Note(kind, name, description or otherwise, kept, expected)
