"""`DatasetStore` on S3.

What is sent in one piece is signed with its MD5, which S3 computes of what comes and compares, and
with `If-None-Match: *`, so that nothing that is there is replaced
(docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). Encryption with S3's own
keys leaves ETags what `domain.manifest` says.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from xylem.domain.errors import TooLarge
from xylem.domain.manifest import Content
from xylem.ports.catalog import SignedPut

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MISSING = {"404", "NoSuchKey", "NoSuchUpload", "NotFound"}


class S3DatasetStore:
    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    @property
    def uri(self) -> str:
        return f"s3://{self._bucket}"

    def find(self, key: str) -> Content | None:
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _missing(error):
                return None
            raise
        return Content(found["ETag"].strip('"'), found["ContentLength"])

    def read(self, key: str, *, most: int) -> bytes | None:
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _missing(error):
                return None
            raise
        if found["ContentLength"] > most:
            raise TooLarge(f"{key} has {found['ContentLength']} bytes; the most is {most}.")
        return found["Body"].read()

    def write(self, key: str, body: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)

    def get_url(self, key: str, *, expires: timedelta) -> str:
        return self._signed("get_object", {"Key": key}, expires)

    def put_url(self, key: str, content: Content, *, expires: timedelta) -> SignedPut:
        md5 = b64encode(bytes.fromhex(content.etag)).decode()
        url = self._signed(
            "put_object", {"Key": key, "ContentMD5": md5, "IfNoneMatch": "*"}, expires
        )
        return SignedPut(url, {"Content-MD5": md5, "If-None-Match": "*"})

    def begin_parts(self, key: str) -> str:
        return self._s3.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"]

    def parts(self, key: str, upload: str) -> dict[int, Content] | None:
        pages = self._s3.get_paginator("list_parts")
        found: dict[int, Content] = {}
        try:
            for page in pages.paginate(Bucket=self._bucket, Key=key, UploadId=upload):
                for part in page.get("Parts", ()):
                    found[part["PartNumber"]] = Content(part["ETag"].strip('"'), part["Size"])
        except ClientError as error:
            if _missing(error):
                return None
            raise
        return found

    def part_url(self, key: str, upload: str, number: int, *, expires: timedelta) -> str:
        return self._signed(
            "upload_part", {"Key": key, "UploadId": upload, "PartNumber": number}, expires
        )

    def join(self, key: str, upload: str, parts: Mapping[int, Content]) -> None:
        told: list[CompletedPartTypeDef] = [
            {"PartNumber": number, "ETag": part.etag} for number, part in sorted(parts.items())
        ]
        try:
            self._s3.complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": told}
            )
        except ClientError as error:
            if not _missing(error):
                raise

    def give_up(self, key: str, upload: str) -> None:
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        except ClientError as error:
            if not _missing(error):
                raise

    def keys(self, prefix: str, *, limit: int = 1000) -> list[str]:
        answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=limit)
        return [found["Key"] for found in answer.get("Contents", ())]

    def delete(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        answer = self._s3.delete_objects(
            Bucket=self._bucket,
            Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
        )
        if failed := answer.get("Errors"):
            raise RuntimeError(f"S3 did not delete {failed[0].get('Key')}: {failed[0]}")

    def _signed(self, method: str, parameters: Mapping[str, Any], expires: timedelta) -> str:
        return self._s3.generate_presigned_url(
            method,
            Params={"Bucket": self._bucket, **parameters},
            ExpiresIn=int(expires.total_seconds()),
        )


def _missing(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") in MISSING
