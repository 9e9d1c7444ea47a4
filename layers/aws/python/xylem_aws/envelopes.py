"""Secrets sealed with the AWS Encryption SDK: each under a data key of its own, that under a master
key of ours (256 bits, AES-GCM), which SSM keeps (`keys`).

A sealed secret names its master key, so several may be valid while one is replaced; and it is bound
to its context (whose it is, what it is called): put into another's row, it does not open. The suite
is the one that commits to its key and does without a signature, which proves nothing where who
seals and who opens share the key.

Rejected: KMS, whose key costs a dollar a month while idle; the SDK's newer keyrings, which drag
some MB of generated Python along that take many times as long to import.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from xylem.domain.errors import Unavailable
from xylem_aws.keys import KeyRing

if TYPE_CHECKING:
    from xylem_aws.master_keys import MasterKeys


NONCE_BYTES = 12
"""Of AES-GCM, as NIST recommends (SP 800-38D, 8.2)."""


class Envelopes:
    """`Seals`. `read` gives our keys as they are now: read when first needed, and again when
    something was sealed under a key that is not among them. The library is imported then, too:
    listing credentials and submitting workflows need neither."""

    def __init__(self, read: Callable[[], KeyRing]) -> None:
        self._read = read
        self._ring: KeyRing | None = None

    def seal(self, secret: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        """And the id of the key that it is sealed under."""
        ring = self._ring or self._fresh()
        return _library(ring).seal(secret, ring.active, context), ring.active

    def open(self, sealed: bytes, key: str, context: Mapping[str, str]) -> bytes:
        """Raises `Unavailable` where that key is gone, `ValueError` for what was not sealed by us,
        or in another context."""
        ring = self._ring or self._fresh()
        if key not in ring.keys:
            ring = self._fresh()
        if key not in ring.keys:
            raise Unavailable(
                f"The key {key} that the secret was sealed with is not among ours any more: put it "
                "back, or set the credential again."
            )
        return _library(ring).open(sealed, key, context)

    def lock(self, content: bytes) -> tuple[bytes, bytes]:
        """Not the SDK's format: who opens it is an operator, which has the data key and no more
        (`operators/shared/locks.py`)."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

        key = AESGCM.generate_key(bit_length=256)
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, content, None), key

    def _fresh(self) -> KeyRing:
        self._ring = self._read()
        return self._ring


def _library(ring: KeyRing) -> "MasterKeys":
    from xylem_aws.master_keys import MasterKeys  # noqa: PLC0415 - see `Envelopes`

    return MasterKeys({kid: base64.b64decode(key) for kid, key in ring.keys.items()})
