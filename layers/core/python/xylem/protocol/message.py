"""What every word on a wire has in common."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Immutable. Unknown fields are ignored, so that either side can be upgraded first; a field is
    only ever added with a default, and never changes its meaning (`tests/wire` holds
    yesterday's)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
