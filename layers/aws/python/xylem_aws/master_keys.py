"""The AWS Encryption SDK with raw keys: the only file that imports it, and slow to import."""

from collections.abc import Mapping
from typing import Any

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import AlgorithmSuite, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider
from cryptography.exceptions import InvalidTag

SUITE = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY


class MasterKeys:
    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = keys
        self._client = EncryptionSDKClient(
            commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
            max_encrypted_data_keys=1,
        )

    def seal(self, secret: bytes, key: str, context: Mapping[str, str]) -> bytes:
        sealed, _ = self._client.encrypt(
            source=secret,
            key_provider=self._provider(key),
            encryption_context=dict(context),
            algorithm=SUITE,
        )
        return bytes(sealed)

    def open(self, sealed: bytes, key: str, context: Mapping[str, str]) -> bytes:
        """Raises `ValueError`."""
        try:
            secret, header = self._client.decrypt(source=sealed, key_provider=self._provider(key))
        except (AWSEncryptionSDKClientError, InvalidTag) as error:
            raise ValueError(f"it does not open: {type(error).__name__}") from None
        if dict(header.encryption_context) != dict(context):
            raise ValueError("it was sealed for another place")
        return bytes(secret)

    def _provider(self, key: str) -> "_Provider":
        provider = _Provider(self._keys)
        provider.add_master_key(key)
        return provider


class _Provider(RawMasterKeyProvider):  # type: ignore[misc]  # the library has no annotations
    provider_id = "xylem"

    def __new__(cls, keys: Mapping[str, bytes]) -> "_Provider":
        made: _Provider = super().__new__(cls)
        return made

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        super().__init__()
        self._raw = keys

    def _get_raw_key(self, key_id: Any) -> WrappingKey:
        name = key_id.decode() if isinstance(key_id, bytes) else str(key_id)
        return WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING,
            wrapping_key=self._raw[name],
            wrapping_key_type=EncryptionKeyType.SYMMETRIC,
        )
