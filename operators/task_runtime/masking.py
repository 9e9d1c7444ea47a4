"""What of the spool goes out: without secrets, and cut where none is open (`protocol/masking`).

    None       the spool ends in what may be the beginning of a secret: ask again later
    Masked     what to send for the spool from that offset

An undecided end is waited for two seconds: a prompt, or a picture that is drawn without an end of
line, would else be shown with the next line only, which may be hours away. A batch that is full is
not waited for, because nothing more will be seen of it; nor is the end of the spool.

What was sent and not answered may have been stored, so the state behind each end that was offered
is kept until the Logger has answered an offset beyond it.
"""

from collections.abc import Iterable

from xylem.protocol.masking import Masked, Masker, Open

HOLD_SECONDS = 2.0


class Outgoing:
    """`full`: as many bytes as a batch may have, but for one record."""

    def __init__(self, secrets: Iterable[str], *, full: int) -> None:
        self._secrets = set(secrets)
        self._masker = Masker(self._secrets)
        self._full = full
        self._open: dict[int, Open] = {}
        self._held_at: int | None = None
        self._held_since = 0.0

    def also(self, secret: str) -> None:
        """One more: the token was renewed."""
        if secret not in self._secrets:
            self._secrets.add(secret)
            self._masker = Masker(self._secrets)

    def take(self, offset: int, raw: bytes, *, last: bool, now: float) -> Masked | None:
        """`raw`: whole records from there. `last`: nothing will follow them."""
        self._open = {at: left for at, left in self._open.items() if at >= offset}
        before = self._open.get(offset)
        found = self._masker.mask(raw, before=before, release=last)
        if not found.length and raw:
            if self._held_at != offset:
                self._held_at, self._held_since = offset, now
            if len(raw) < self._full and now < self._held_since + HOLD_SECONDS:
                return None
            found = self._masker.mask(raw, before=before, release=True)
        self._open[offset + found.length] = found.open
        return found
