"""How much one transaction takes. Apart from the footprint of a commit, so that a function which
writes rows of its own starts without the engine."""

from xylem.domain.errors import TooLarge
from xylem.protocol.limits import TRANSACTION_ACTIONS


def require_room(needed: int, *, of: str) -> None:
    """Raises `TooLarge`."""
    if needed > TRANSACTION_ACTIONS:
        raise TooLarge(
            f"{of}: {needed} rows change at once; one transaction holds {TRANSACTION_ACTIONS}",
            workflow=of,
        )
