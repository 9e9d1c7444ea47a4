"""What every word on a wire has in common."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Immutable. Unknown fields are ignored, so that either side can be upgraded first; a field is
    only ever added with a default, and never changes its meaning (`tests/wire` holds
    yesterday's). It is built when it is first read or written: a process speaks few of all words,
    and what it says within another one is built with that."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


LATER = ConfigDict(defer_build=True)
"""Of the adapter of a conversation's union, for the same reason."""
