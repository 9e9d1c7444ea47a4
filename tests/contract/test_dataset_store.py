"""What every `DatasetStore` promises: an object proves its content by its hash, parts are joined to
one, and a URL is good for what it was signed for. S3's side of a URL is asked of what is signed."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from hashlib import md5
from urllib.parse import parse_qs, urlsplit

import pytest
from moto import mock_aws

from tests.builders import NOON
from tests.contract.conftest import REGION
from xylem.domain.errors import TooLarge
from xylem.domain.manifest import PART_BYTES, Content, joined
from xylem.memory.catalog import MemoryDatasetStore
from xylem.memory.time import FakeClock
from xylem.ports.catalog import DatasetStore
from xylem_aws import clients
from xylem_aws.dataset_store import S3DatasetStore

HOUR = timedelta(hours=1)
FIRST, LAST = b"1" * PART_BYTES, b"2"


@pytest.fixture(params=["memory", "s3"])
def store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DatasetStore]:
    if request.param == "memory":
        yield MemoryDatasetStore(FakeClock(NOON))
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = clients.s3(REGION)
        s3.create_bucket(Bucket="sets")
        yield S3DatasetStore(s3, "sets")


def send(store: DatasetStore, key: str, upload: str, number: int, body: bytes) -> None:
    """As who has the URL of a part does."""
    if isinstance(store, MemoryDatasetStore):
        url = store.part_url(key, upload, number, expires=HOUR)
        assert store.answer("PUT", url, {}, body)[0] == 200
        return
    clients.s3(REGION).upload_part(
        Bucket="sets", Key=key, UploadId=upload, PartNumber=number, Body=body
    )


def hash_of(body: bytes) -> str:
    return md5(body).hexdigest()


def test_an_object_is_found_with_its_hash_and_size(store: DatasetStore) -> None:
    store.write("a/b", b"hello")

    assert store.uri == "s3://sets"
    assert store.find("a/b") == Content(hash_of(b"hello"), 5)
    assert store.find("a") is None
    assert store.read("a/b", most=5) == b"hello"
    assert store.read("a", most=5) is None
    with pytest.raises(TooLarge):
        store.read("a/b", most=4)


def test_parts_are_joined_to_a_content_of_their_hashes(store: DatasetStore) -> None:
    upload = store.begin_parts("a/large")
    assert store.parts("a/large", upload) == {}
    send(store, "a/large", upload, 2, LAST)
    send(store, "a/large", upload, 1, FIRST)
    parts = store.parts("a/large", upload)

    assert parts == {
        1: Content(hash_of(FIRST), PART_BYTES),
        2: Content(hash_of(LAST), 1),
    }
    assert store.find("a/large") is None
    store.join("a/large", upload, parts)
    etag = joined([hash_of(FIRST), hash_of(LAST)])
    assert store.find("a/large") == Content(etag, PART_BYTES + 1)
    assert store.parts("a/large", upload) is None


def test_an_upload_that_was_given_up_is_over_and_may_be_given_up_again(
    store: DatasetStore,
) -> None:
    upload = store.begin_parts("a/large")
    store.give_up("a/large", upload)
    store.give_up("a/large", upload)

    assert store.parts("a/large", upload) is None
    assert store.find("a/large") is None


def test_objects_are_listed_by_prefix_and_deleted_however_often(store: DatasetStore) -> None:
    for key in ("a/1", "a/2", "b/1"):
        store.write(key, b"x")

    assert store.keys("a/") == ["a/1", "a/2"]
    assert store.keys("a/", limit=1) == ["a/1"]
    store.delete(["a/1", "a/2", "a/3"])
    store.delete(["a/1"])
    store.delete([])
    assert store.keys("") == ["b/1"]


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_a_put_is_signed_with_its_content_and_for_an_empty_place(store: DatasetStore) -> None:
    content = Content(hash_of(b"hello"), 5)
    put = store.put_url("a/b", content, expires=HOUR)
    asked = parse_qs(urlsplit(put.url).query)

    assert put.headers == {
        "Content-MD5": b64encode(bytes.fromhex(content.etag)).decode(),
        "If-None-Match": "*",
    }
    assert asked["X-Amz-SignedHeaders"] == ["content-md5;host;if-none-match"]
    assert asked["X-Amz-Expires"] == ["3600"]


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_a_part_is_signed_by_its_number_and_upload(store: DatasetStore) -> None:
    url = store.part_url("a/b", "u-1", 7, expires=HOUR)
    asked = parse_qs(urlsplit(url).query)

    assert (asked["uploadId"], asked["partNumber"]) == (["u-1"], ["7"])
    assert asked["X-Amz-SignedHeaders"] == ["host"]
