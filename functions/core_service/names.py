"""What several routes read of a request: the workflow that it is about, and a priority."""

from enum import StrEnum
from typing import Annotated

from fastapi import Depends

from xylem.domain.errors import UnknownWorkflow


class Priority(StrEnum):
    HIGH = "HIGH"
    NORMAL = "NORMAL"
    LOW = "LOW"


NAME_CHARS = 256
"""More than any name has; DynamoDB refuses a key of more than 2 KB."""


def known_length(name: str) -> str:
    """Raises `UnknownWorkflow`."""
    if len(name) > NAME_CHARS:
        raise UnknownWorkflow(f"Workflow {name[:NAME_CHARS]}... was not found: no id is that long.")
    return name


Name = Annotated[str, Depends(known_length)]
