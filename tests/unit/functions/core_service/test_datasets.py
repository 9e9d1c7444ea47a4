"""Datasets over HTTP: OSMO's bodies and statuses, and what is refused of what somebody sends."""

import json
from hashlib import md5
from typing import Any

import pytest

from tests.stories.dataset_world import DatasetWorld
from tests.unit.functions.core_service.gateway import Answer

AT = "/api/bucket/prod/dataset/DS"
BODY = b"hello"
ETAG = md5(BODY).hexdigest()


@pytest.fixture
def world() -> DatasetWorld:
    return DatasetWorld()


def ask(world: DatasetWorld, method: str, path: str, body: Any = None, **more: str) -> Answer:
    text = json.dumps(body) if body is not None else None
    answer: Answer = world.ask(method, path, body=text, **more)
    return answer


def post(world: DatasetWorld, path: str = "", query: str = "", body: Any = None) -> Answer:
    return ask(world, "POST", f"{AT}{path}", body, query=query)


def put(world: DatasetWorld, place: Any, body: bytes) -> int:
    headers = {name.lower(): value for name, value in place["headers"].items()}
    return world.world.dataset_store.answer("PUT", place["url"], headers, body)[0]


def sent(world: DatasetWorld, version: int, body: bytes = BODY) -> None:
    """A content, and it is known to be there."""
    given = {"contents": [{"etag": md5(body).hexdigest(), "size": len(body)}]}
    wanted = post(world, "/uploads", f"version_id={version}", given).body["contents"]
    if wanted[0]["put"]:
        assert put(world, wanted[0]["put"], body) == 200
    again = post(world, "/uploads", f"version_id={version}", given).body["contents"]
    assert again == [{"etag": md5(body).hexdigest(), "there": True, "put": None, "parts": []}]


def listed(world: DatasetWorld, version: int, entries: Any) -> str:
    """The listing is put; its MD5."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    digest = md5(text).hexdigest()
    place = post(world, "/listing", f"version_id={version}", {"md5": digest, "size": len(text)})
    assert put(world, place.body, text) in (200, 412)
    return digest


def finish(world: DatasetWorld, version: int, listing: str, more: str = "") -> Answer:
    return post(world, "", f"finish=true&version_id={version}&manifest={listing}{more}")


def an_entry(path: str = "a.txt", **more: Any) -> dict[str, Any]:
    return {"relative_path": path, "etag": ETAG, "size": len(BODY), **more}


def a_version(world: DatasetWorld, *entries: dict[str, Any]) -> str:
    number = int(post(world).body["version_id"])
    sent(world, number)
    done = finish(world, number, listed(world, number, list(entries) or [an_entry()]))
    assert done.status == 200, done.body
    return str(number)


def test_a_content_that_has_another_size_than_was_announced_is_refused_with_both(
    world: DatasetWorld,
) -> None:
    post(world)
    wrong = {"contents": [{"etag": ETAG, "size": len(BODY) + 1}]}
    [wanted] = post(world, "/uploads", "version_id=1", wrong).body["contents"]
    assert put(world, wanted["put"], BODY) == 200

    refused = post(world, "/uploads", "version_id=1", wrong)

    assert (refused.status, refused.body["error_code"]) == (400, "USER")
    assert f"The content {ETAG} was announced with 6 bytes, and has 5" in refused.body["message"]
    sent(world, 1)
    again = post(world, "/uploads", "version_id=1", wrong)
    assert (again.status, again.body["message"]) == (400, refused.body["message"])
    assert finish(world, 1, listed(world, 1, [an_entry()])).status == 200


def test_what_was_announced_wrongly_stands_in_nobodys_way(world: DatasetWorld) -> None:
    post(world)
    post(world)
    post(world, "/uploads", "version_id=1", {"contents": [{"etag": ETAG, "size": 99}]})

    sent(world, 2)

    assert finish(world, 2, listed(world, 2, [an_entry()])).status == 200


def test_the_answers_are_osmos(world: DatasetWorld) -> None:
    begun = post(world, "", "tag=base&description=d", {"metadata": {"k": 1}})
    location = begun.body["storage_path"].removesuffix("/hashes")
    assert (begun.status, begun.body) == (
        200,
        {
            "version_id": "1",
            "region": "us-east-1",
            "storage_path": f"{location}/hashes",
            "manifest_path": f"{location}/manifests/1.json",
        },
    )
    id = location.rpartition("/")[2]
    assert location == f"s3://sets/prod/{id}"
    assert len(id) == 22
    sent(world, 1)
    done = finish(world, 1, listed(world, 1, [an_entry()]), "&tag=base")
    assert done.body == {
        "version_id": "1",
        "region": "",
        "storage_path": "",
        "manifest_path": "",
    }

    noon = "2026-11-24T12:00:00"
    info = ask(world, "GET", f"{AT}/info").body
    uri = f"{location}/manifests/1.json"
    assert info == {
        "name": "DS",
        "id": id,
        "bucket": "prod",
        "created_by": "alice",
        "created_date": info["created_date"],
        "hash_location": f"{location}/hashes",
        "hash_location_size": 5,
        "labels": {},
        "type": "DATASET",
        "versions": [
            {
                "name": "DS",
                "version": "1",
                "status": "READY",
                "created_by": "alice",
                "created_date": info["created_date"],
                "last_used": info["created_date"],
                "retention_policy": 7776000.0,
                "size": 5,
                "checksum": md5(f"a.txt {ETAG}".encode()).hexdigest(),
                "location": f"https://sets.s3.us-east-1.amazonaws.com/prod/{id}/manifests/1.json",
                "uri": uri,
                "metadata": {"description": "d", "k": 1},
                "tags": ["base", "latest"],
                "collections": [],
            }
        ],
    }
    assert len(info["created_date"]) == len(noon)
    download = ask(world, "GET", AT, query="tag=base").body
    assert download == {
        "dataset_names": ["DS"],
        "dataset_versions": ["1"],
        "locations": [uri],
        "new_locations": [""],
        "is_collection": False,
    }
    assert post(world, "/migrate").body == download
    assert ask(world, "GET", "/api/bucket/list_dataset").body["datasets"] == [
        {
            "name": "DS",
            "id": id,
            "bucket": "prod",
            "create_time": info["created_date"],
            "last_created": info["created_date"],
            "hash_location": f"{location}/hashes",
            "hash_location_size": 5,
            "version_id": "1",
            "type": "DATASET",
        }
    ]
    assert ask(world, "GET", "/api/bucket/prod/location").body == {
        "path": "s3://sets/prod",
        "region": "us-east-1",
    }
    buckets = ask(world, "GET", "/api/bucket").body
    assert buckets["default"] == "prod"
    assert buckets["buckets"]["prod"] == {
        "path": "s3://sets/prod",
        "description": "",
        "mode": "read-write",
        "default_cred": False,
    }
    assert ask(world, "GET", "/api/bucket", query="default_only=true").body["buckets"] == {}
    assert post(world, "/attribute", "set_tag=x").body == {
        "tag_response": {"version_id": "1", "tags": ["base", "latest", "x"]},
        "label_response": None,
        "metadata_response": None,
    }
    assert post(world, "/attribute", "", {"set_label": {"a": 1}}).body["label_response"] == {
        "metadata": {"a": 1}
    }
    collected = ask(
        world,
        "POST",
        "/api/bucket/prod/dataset/C/collect",
        {"datasets": [{"name": "DS", "tag": ""}]},
    )
    assert (collected.status, collected.body) == (200, None)
    added: dict[str, list[Any]] = {"add_datasets": [], "remove_datasets": []}
    same = ask(world, "POST", "/api/bucket/prod/dataset/C/recollect", added).body
    assert same == {"versions": [{"dataset_name": id, "version": "1"}]}
    assert ask(world, "DELETE", AT).body == {
        "versions": ["1"],
        "delete_locations": [],
        "cleaned_size": 0,
    }


@pytest.mark.parametrize(
    ("method", "path", "query", "says", "code"),
    [
        ("GET", "/api/bucket/prod/dataset/no/info", "", "Could not find dataset or coll", "USER"),
        ("GET", f"{AT}/info", "tag=nope", "Dataset DS tag nope does not exist in", "USER"),
        ("GET", AT, "tag=2", "There is no READY dataset DS with tag or id 2 in bucket", "DATABASE"),
        ("GET", "/api/bucket/none/dataset/DS/info", "", "Bucket none is not set", "USER"),
        ("POST", AT, "tag=5", "Tags cannot be a number: 5", "USER"),
        ("POST", f"{AT}/attribute", "set_tag=5", "Cannot set a number as a tag 5.", "USER"),
        ("POST", f"{AT}/attribute", "delete_tag=latest", 'add or delete "latest" tag', "USER"),
        ("POST", f"{AT}/attribute", "set_tag=a.b", "is no name of a tag", "USER"),
        ("POST", f"{AT}/attribute", "new_name=bad%20n", "is no name of a dataset", "USER"),
        ("POST", AT, "finish=true&version_id=77", "Dataset version 77 does not", "DATABASE"),
        ("POST", AT, "finish=true&version_id=x", "as version_id, a number", "USER"),
        ("POST", AT, "finish=true&version_id=2", "No listing of version 2 was put", "USAGE"),
        ("POST", AT, "resume=true&tag=base", "Say which version of DS to resume", "USER"),
        ("POST", AT, "resume=true&tag=1", "only one that is PENDING can be resumed", "USER"),
        ("POST", "/api/bucket/prod/dataset/bad%20name", "", "is no name of a dataset", "USER"),
        ("POST", "/api/bucket/frozen/dataset/DS", "", "Bucket frozen mode is read-only", "USAGE"),
        ("GET", "/api/bucket/prod/query", "command=x", "Parsing error", "USER"),
        ("GET", f"{AT}/file-content", "storage_path=s3://other/x", "has to be below", "USER"),
    ],
)
def test_what_cannot_be_is_a_400_in_words(
    world: DatasetWorld, method: str, path: str, query: str, says: str, code: str
) -> None:
    a_version(world)
    post(world)
    world.freeze("frozen")
    answer = ask(world, method, path, query=query)

    assert (answer.status, answer.body["error_code"]) == (400, code)
    assert says in answer.body["message"]


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([an_entry(etag="f" * 32)], "was not uploaded to version 1"),
        ([an_entry(size=6)], f"{ETAG} has 5 bytes, not 6"),
        ([an_entry("../up")], "is no path in a dataset"),
        ([an_entry("/etc/passwd")], "is no path in a dataset"),
        ([an_entry("a/../../b")], "is no path in a dataset"),
        ([an_entry("a//b")], "is no path in a dataset"),
        ([an_entry("a\x00b")], "is no path in a dataset"),
        ([an_entry("a\ud800")], "it is not UTF-8"),
        ([an_entry("")], "is no path in a dataset"),
        ([an_entry("x" * 1025)], "is longer than 1024 bytes"),
        ([an_entry(), an_entry()], "a.txt is listed twice"),
        ([an_entry("a"), an_entry("a/b")], "a is a file, so a/b cannot be below it"),
        ([an_entry(etag="../manifests/1")], "is no hash of a file"),
        ([an_entry(etag=ETAG + "-2")], "is no hash of 5 bytes"),
        ([an_entry(size=-1)], "A file of -1 bytes"),
        ([an_entry(link="file:///etc/passwd")], "is no URL of a file to link"),
        ([an_entry(link=5)], "its link is no text"),
        ([{"relative_path": "a"}], "Entry 0 of the manifest is not"),
        ([an_entry(size=True)], "Entry 0 of the manifest is not"),
        ({"a": 1}, "The manifest is no list of files"),
        (b"[", "The manifest is no JSON"),
        (b"[" * 100_000, "The manifest is no JSON"),
        (b"\xff", "The manifest is no JSON"),
    ],
)
def test_a_listing_that_is_wrong_is_refused_and_the_version_stays_pending(
    world: DatasetWorld, entries: Any, says: str
) -> None:
    post(world)
    sent(world, 1)
    answer = finish(world, 1, listed(world, 1, entries))

    assert answer.status == 400
    assert says in answer.body["message"]
    versions = ask(world, "GET", f"{AT}/info", query="all_flag=true").body["versions"]
    assert [one["status"] for one in versions] == ["PENDING"]


def test_a_content_that_was_announced_and_not_sent_is_missed(world: DatasetWorld) -> None:
    post(world)
    given = {"contents": [{"etag": ETAG, "size": len(BODY)}]}
    post(world, "/uploads", "version_id=1", given)
    answer = finish(world, 1, listed(world, 1, [an_entry()]))

    assert "was not uploaded to version 1" in answer.body["message"]


def test_a_url_takes_the_content_that_it_was_signed_for_once(world: DatasetWorld) -> None:
    post(world)
    given = {"contents": [{"etag": ETAG, "size": len(BODY)}]}
    [wanted] = post(world, "/uploads", "version_id=1", given).body["contents"]

    assert put(world, wanted["put"], b"other") == 400
    assert put(world, {**wanted["put"], "headers": {}}, BODY) == 403
    assert put(world, wanted["put"], BODY) == 200
    assert put(world, wanted["put"], BODY) == 412


def test_a_content_of_another_versions_is_not_enough(world: DatasetWorld) -> None:
    a_version(world)
    post(world)
    answer = finish(world, 2, listed(world, 2, [an_entry()]))

    assert answer.status == 400
    assert "was not uploaded to version 2" in answer.body["message"]


def test_what_somebody_with_keys_put_under_a_hash_is_replaced(world: DatasetWorld) -> None:
    post(world)
    id = ask(world, "GET", f"{AT}/info", query="all_flag=true").body["id"]
    world.world.dataset_store.write(f"prod/{id}/hashes/{ETAG}", b"wrong")
    sent(world, 1)
    assert finish(world, 1, listed(world, 1, [an_entry()])).status == 200
    assert world.world.dataset_store.read(f"prod/{id}/hashes/{ETAG}", most=99) == BODY


def test_a_finish_is_repeated_and_changes_nothing(world: DatasetWorld) -> None:
    post(world)
    sent(world, 1)
    listing = listed(world, 1, [an_entry()])
    first = finish(world, 1, listing, "&size=999&update_dataset_size=999&tag=good")
    before = ask(world, "GET", f"{AT}/info").body
    again = finish(world, 1, listing, "&update_dataset_size=999")

    assert (first.status, again.status) == (200, 200)
    assert ask(world, "GET", f"{AT}/info").body == before
    assert before["hash_location_size"] == 5


def test_a_listing_that_was_lost_after_the_finish_is_written_again(world: DatasetWorld) -> None:
    post(world)
    sent(world, 1)
    listing = listed(world, 1, [an_entry()])
    store = world.world.dataset_store
    staged = next(key for key in store.all_keys() if "/uploads/" in key)
    body = store.read(staged, most=999)
    finish(world, 1, listing)
    manifest = next(key for key in store.all_keys() if "/manifests/" in key)
    assert body is not None
    store.delete([manifest])
    store.write(staged, body)

    answer = ask(world, "GET", f"{AT}/manifest", query="version=1")
    assert answer.status == 307
    assert store.find(manifest) is not None
    assert store.find(staged) is None


def test_another_checksum_than_the_listings_is_refused(world: DatasetWorld) -> None:
    post(world)
    sent(world, 1)
    answer = finish(world, 1, listed(world, 1, [an_entry()]), "&checksum=0")

    assert answer.status == 400
    assert "has the checksum" in answer.body["message"]


def test_changes_of_one_request_are_made_together_or_not_at_all(world: DatasetWorld) -> None:
    a_version(world)
    query = "new_name=NEW&set_tag=good&delete_metadata=x"
    refused = post(world, "/attribute", query, {"set_metadata": {"bad key": 1}})

    assert refused.status == 400
    assert ask(world, "GET", f"{AT}/info").body["versions"][0]["tags"] == ["latest"]
    done = post(world, "/attribute", query, {"set_metadata": {"k": 1}, "set_label": {"l": 1}})
    assert done.status == 200
    info = ask(world, "GET", "/api/bucket/prod/dataset/NEW/info").body
    assert info["versions"][0]["tags"] == ["good", "latest"]
    assert info["versions"][0]["metadata"] == {"description": "", "k": 1}
    assert info["labels"] == {"l": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"set_label": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}}, 400),
        ({"set_label": {"a": "x" * 40_000}}, 413),
        ({"set_label": {"a b": 1}}, 400),
        ({"set_label": {"a": "\ud800"}}, 422),
        ({"set_label": []}, 422),
        ({"unknown": {}}, 422),
    ],
)
def test_labels_are_bounded(world: DatasetWorld, body: Any, status: int) -> None:
    a_version(world)

    assert post(world, "/attribute", "", body).status == status


# The config --------------------------------------------------------------------------------------

CONFIG = "/api/configs/dataset"
ADMIN = {"roles": "osmo-admin"}


def test_an_admin_sets_buckets_and_the_default(world: DatasetWorld) -> None:
    new = {"configs_dict": {"dataset_path": "robots", "mode": "READ-ONLY", "description": "d"}}
    made = ask(world, "PATCH", f"{CONFIG}/robots", new, **ADMIN)
    assert made.body == {
        "dataset_path": "s3://sets/robots",
        "region": "us-east-1",
        "check_key": False,
        "description": "d",
        "mode": "read-only",
        "default_credential": None,
    }
    default = {"configs_dict": {"default_bucket": "robots"}}
    assert ask(world, "PATCH", CONFIG, default, **ADMIN).body["default_bucket"] == "robots"
    opened = {"configs_dict": {"mode": "read-write"}}
    assert ask(world, "PATCH", f"{CONFIG}/robots", opened, **ADMIN).body == {
        **made.body,
        "mode": "read-write",
    }
    assert ask(world, "DELETE", f"{CONFIG}/robots", {}, **ADMIN).status == 200
    left = ask(world, "GET", CONFIG, **ADMIN).body
    assert (left["default_bucket"], sorted(left["buckets"])) == ("", ["frozen", "lab", "prod"])
    whole = {"configs": {"buckets": {"one": {"dataset_path": "s3://sets"}}, "default_bucket": ""}}
    assert ask(world, "PUT", CONFIG, whole, **ADMIN).status == 200
    assert sorted(ask(world, "GET", CONFIG, **ADMIN).body["buckets"]) == ["one"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dataset_path": "s3://other/x"}, "this deployment keeps datasets in s3://sets"),
        ({"dataset_path": "s3://setsx/x"}, "this deployment keeps datasets in s3://sets"),
        ({"dataset_path": "a/../../b"}, "this deployment keeps datasets in s3://sets"),
        ({"dataset_path": "a;b"}, "this deployment keeps datasets in s3://sets"),
        ({"dataset_path": "a", "mode": "append"}, "say one of read-write, read-only"),
        ({"dataset_path": "a", "check_key": True}, "have no use here"),
        ({"dataset_path": "a", "default_credential": {"access_key": "x"}}, "have no use here"),
        ({"mode": "read-only"}, "a new bucket needs a dataset_path"),
    ],
)
def test_a_bucket_that_cannot_be_is_refused(
    world: DatasetWorld, changes: dict[str, Any], says: str
) -> None:
    answer = ask(world, "PATCH", f"{CONFIG}/new", {"configs_dict": changes}, **ADMIN)

    assert answer.status == 400
    assert says in answer.body["message"]


def test_the_config_is_an_admins_and_a_default_is_one_that_there_is(world: DatasetWorld) -> None:
    for method, path, body in (
        ("GET", CONFIG, None),
        ("PATCH", CONFIG, {"configs_dict": {}}),
        ("PUT", CONFIG, {"configs": {}}),
        ("DELETE", f"{CONFIG}/prod", {}),
    ):
        assert ask(world, method, path, body).status == 403
    wrong = {"configs_dict": {"default_bucket": "none"}}
    assert ask(world, "PATCH", CONFIG, wrong, **ADMIN).status == 400
    assert ask(world, "DELETE", f"{CONFIG}/none", {}, **ADMIN).status == 400
