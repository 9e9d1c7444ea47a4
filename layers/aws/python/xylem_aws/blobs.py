"""One bucket of S3."""

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from xylem.ports.blobs import Blob, BlobPage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class S3Blobs:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get(self, key: str) -> bytes | None:
        try:
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None

    def has(self, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.ClientError as error:
            # An answer to HEAD has no body, so its error has no name but the status.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    def delete(self, key: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=key)

    def list(self, prefix: str, *, cursor: str | None = None, limit: int = 1000) -> BlobPage:
        """The cursor is the last key of the page before: it stays good for ever."""
        answer = self._s3.list_objects_v2(
            Bucket=self._bucket, Prefix=prefix, MaxKeys=limit, StartAfter=cursor or ""
        )
        blobs = tuple(
            Blob(found["Key"], found["Size"], found["LastModified"])
            for found in answer.get("Contents", ())
        )
        more = answer["IsTruncated"] and blobs
        return BlobPage(blobs, blobs[-1].key if more else None)

    def get_url(self, key: str, *, expires: timedelta) -> str:
        return self._presigned("get_object", key, expires)

    def put_url(self, key: str, *, expires: timedelta) -> str:
        return self._presigned("put_object", key, expires)

    def _presigned(self, method: str, key: str, expires: timedelta) -> str:
        return self._s3.generate_presigned_url(
            method,
            Params={"Bucket": self._bucket, "Key": key},
            ExpiresIn=int(expires.total_seconds()),
        )
