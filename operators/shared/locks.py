"""A payload that the service locked with a data key of its own (`protocol/agent.py`, `Job`)."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


def unlocked(locked: bytes, key: bytes) -> bytes:
    """Raises `ValueError`."""
    try:
        return AESGCM(key).decrypt(locked[:NONCE_BYTES], locked[NONCE_BYTES:], None)
    except InvalidTag:
        raise ValueError("it does not open with the data key that came with it") from None
