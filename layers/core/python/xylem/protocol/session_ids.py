"""What names a session on every wire. Apart from `session`, whose words few functions speak: they
take 15 ms to import."""

from typing import Annotated

from pydantic import Field

TOKEN_CHARS = 1_024

SessionId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Token = Annotated[str, Field(max_length=TOKEN_CHARS)]
