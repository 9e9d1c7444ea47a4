"""`xylem data …` against an S3 over HTTP: what is moved, what is passed over, what is told."""

import json
from hashlib import sha256
from pathlib import Path
from threading import Event
from zlib import crc32

import pytest

from clients.transfer import engine
from clients.transfer.keys import LocalKeys
from operators.shared.files import PARTS, TransferFailed, require_room
from operators.shared.object_stores import Remote
from tests.contract.task_runtime.object_store import KEY_ID, SECRET, ObjectStore
from tests.contract.transfer.conftest import Machine, files
from tests.unit.clients.answers import Service
from tests.unit.clients.cli.world import xylem

pytestmark = pytest.mark.embedded
MB = 1024 * 1024


def test_a_folder_goes_up_under_its_name_and_comes_down_as_it_was(
    machine: Machine, bucket: str
) -> None:
    content = {
        "a": b"a",
        "deep/er/ü %?#": b"b",
        "large": bytes(range(256)) * 4096 * 20,
        "empty": b"",
    }
    folder = machine.writes(content)

    up = machine.data("upload", f"{machine.url}/run", folder)
    down = machine.data("download", f"{machine.url}/run/files", machine.home / "back")

    assert (up.code, down.code) == (0, 0), up.err + down.err
    assert machine.store.content(bucket) == {
        f"run/files/{name}": it for name, it in content.items()
    }
    assert files(machine.home / "back") == content
    assert up.out.startswith("Uploaded 4 files, 21.0 MB in ")
    assert down.out.startswith("Downloaded 4 files, 21.0 MB in ")
    assert "by size alone" not in down.out


def test_a_regex_chooses_what_is_moved_and_deleted(machine: Machine, bucket: str) -> None:
    folder = machine.writes({"a.csv": b"a", "b.txt": b"b", "deep/c.csv": b"c"})

    machine.data("upload", machine.url, folder, "--regex", r"\.csv$")
    machine.data("download", machine.url, machine.home / "back", "-x", "^files/deep")
    gone = machine.data("delete", machine.url, "-x", "deep")

    assert files(machine.home / "back") == {"files/deep/c.csv": b"c"}
    assert gone.out == "Deleted 1 object.\n"
    assert set(machine.store.content(bucket)) == {"files/a.csv"}


def test_what_the_store_has_in_the_same_content_is_not_sent_again(
    machine: Machine, bucket: str
) -> None:
    folder = machine.writes({"a": b"aa", "b": b"bb"})
    machine.data("upload", machine.url, folder, folder / "a")
    (folder / "b").write_bytes(b"BB")

    again = machine.data("upload", machine.url, folder, folder / "a", "--format-type", "json")

    assert json.loads(again.out)["files"] == 1
    assert json.loads(again.out)["there_already"] == 2
    assert machine.store.content(bucket)["files/b"] == b"BB"


def test_a_download_that_was_cut_goes_on_where_it_was(machine: Machine, bucket: str) -> None:
    content = bytes(range(256)) * 4096 * 4
    machine.store.put(bucket, {"done": b"done", "half": content})
    back = machine.home / "back"
    [half] = [one for one in _remote(machine).listed() if one.key == "half"]
    (back / PARTS).mkdir(parents=True)
    (back / PARTS / half.part).write_bytes(content[:MB])
    (back / PARTS / "of another run").write_bytes(b"x")
    (back / "done").write_bytes(b"done")

    machine.data("download", machine.url, back, "--resume")

    assert files(back) == {"done": b"done", "half": content}
    assert [asked for asked in machine.store.asked if asked] == [f"bytes={MB}-"]
    assert not (back / PARTS).exists()


def test_a_part_that_does_not_belong_to_the_object_is_found_out_and_fetched_anew(
    machine: Machine,
) -> None:
    content = b"right" * MB
    machine.data("upload", machine.url, machine.writes({"a": content}))
    back = machine.home / "back"
    [found] = _remote(machine).listed()
    (back / PARTS).mkdir(parents=True)
    (back / PARTS / found.part).write_bytes(b"wrong" * 1000)

    done = machine.data("download", machine.url, back, "--resume")

    assert done.code == 0, done.err
    assert files(back) == {"files/a": content}


def test_what_is_there_in_another_content_is_fetched_again_although_the_size_is_right(
    machine: Machine,
) -> None:
    machine.data("upload", machine.url, machine.writes({"a": b"right"}))
    back = machine.home / "back"
    (back / "files").mkdir(parents=True)
    (back / "files/a").write_bytes(b"wrong")

    machine.data("download", machine.url, back, "--resume")

    assert files(back) == {"files/a": b"right"}


@pytest.mark.parametrize("sums", [{"sha256": "00" * 32}, {"crc32": "00000000"}], ids=repr)
def test_an_object_that_is_not_what_it_was_when_it_was_sent_is_never_taken(
    machine: Machine, bucket: str, sums: dict[str, str]
) -> None:
    machine.store.s3.put_object(Bucket=bucket, Key="a", Body=b"damaged", Metadata=sums)
    found = list(_remote(machine).listed())

    with pytest.raises(TransferFailed, match="a came damaged: it has another checksum"):
        engine.download(_remote(machine), found, machine.home / "back", stop=_NoPatience())
    assert not (machine.home / "back/a").exists()


def test_what_is_sent_has_its_sums_beside_it(machine: Machine, bucket: str) -> None:
    machine.data("upload", machine.url, machine.writes({"a": b"right"}))

    [key] = [one.key for one in _remote(machine).listed()]
    beside = machine.store.s3.head_object(Bucket=bucket, Key=key)["Metadata"]
    assert beside == {"sha256": sha256(b"right").hexdigest(), "crc32": f"{crc32(b'right'):08x}"}


def test_what_an_earlier_release_sent_is_compared_by_its_hash(
    machine: Machine, bucket: str
) -> None:
    digest = sha256(b"right").hexdigest()
    machine.store.s3.put_object(Bucket=bucket, Key="a", Body=b"right", Metadata={"sha256": digest})

    done = machine.data("download", machine.url, machine.home / "back")

    assert "by size alone" not in done.out
    assert files(machine.home / "back") == {"a": b"right"}


def test_objects_of_others_are_compared_by_their_etag(machine: Machine, bucket: str) -> None:
    machine.store.put(bucket, {"a": b"a", "b": b"b"})

    done = machine.data("download", machine.url, machine.home / "back")

    assert done.out.startswith("Downloaded 2 files")
    assert "by size alone" not in done.out


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        ((), ["a", "deep/"]),
        (("--recursive",), ["a", "deep/b", "deep/er/c"]),
        (("--prefix", "deep"), ["deep/b", "deep/er/"]),
        (("--recursive", "--regex", "b$"), ["deep/b"]),
    ],
)
def test_keys_are_listed_one_in_a_line(
    machine: Machine, bucket: str, arguments: tuple[str, ...], listed: list[str]
) -> None:
    machine.store.put(bucket, {"a": b"", "deep/b": b"", "deep/er/c": b""})

    said = machine.data("list", machine.url, *arguments)

    assert said.out.splitlines() == listed


def test_a_list_goes_into_a_new_file_and_never_over_another(machine: Machine, bucket: str) -> None:
    machine.store.put(bucket, {"a": b""})
    file = machine.home / "list"

    first = machine.data("list", machine.url, file)
    second = machine.data("list", machine.url, file)

    assert (first.code, second.code) == (0, 2)
    assert file.read_text() == "a\n"


@pytest.mark.parametrize("access", ["READ", "WRITE", "DELETE"])
def test_a_check_tells_what_the_keys_open_and_leaves_nothing(
    machine: Machine, bucket: str, access: str
) -> None:
    said = machine.data("check", machine.url, "--access-type", access)

    assert (said.code, said.out) == (0, f"{access} of {machine.url} is allowed.\n")
    assert machine.store.content(bucket) == {}


def test_a_bucket_is_not_emptied_by_its_name_alone(machine: Machine, bucket: str) -> None:
    machine.store.put(bucket, {"a": b""})

    said = machine.data("delete", machine.url)

    assert (said.code, "is a whole bucket" in said.err) == (2, True)
    assert set(machine.store.content(bucket)) == {"a"}


# Bad input: a clear word, and nothing half done ---------------------------------------------------


@pytest.mark.parametrize(
    ("url", "keys", "says"),
    [
        ("ftp://host/x", {}, "known are s3, gs, azure, swift and tos"),
        ("s3://", {}, "names no bucket"),
        ("swift://host/AUTH_x/c", {}, "name that as override_url"),
        ("{}/x", {"override_url": "http://127.0.0.1:1"}, "(override_url) does not answer"),
        ("{}/x", {"override_url": "http://no-such-host.invalid"}, "does not answer"),
        ("{}/x", {"access_key_id": "another"}, "refuses access with the keys"),
        ("{}-no-such/x", {}, "there is no such bucket"),
    ],
)
@pytest.mark.parametrize("command", ["upload", "download", "list", "delete", "check"])
def test_a_store_that_cannot_be_used_is_told_of_in_words(
    machine: Machine, command: str, url: str, keys: dict[str, str], says: str
) -> None:
    if url.startswith("{}-"):
        machine = Machine(machine.home, f"{machine.url}-no-such", machine.store)
        url = "{}/x"
    machine.keeps(**keys)
    places = {"upload": [machine.writes({"a": b"a"})], "download": [machine.home / "back"]}

    said = machine.data(command, url.format(machine.url), *places.get(command, []))

    assert said.code == 2
    assert says in said.err
    assert SECRET not in said.err + said.out
    assert not (machine.home / "back").exists()


@pytest.mark.parametrize("regex", ["(", "[a", "(?P<", "a{99999999999}"])
def test_a_regex_that_does_not_compile_moves_nothing(
    machine: Machine, bucket: str, regex: str
) -> None:
    folder = machine.writes({"a": b"a"})
    machine.store.put(bucket, {"b": b"b"})

    up = machine.data("upload", machine.url, folder, "-x", regex)
    down = machine.data("download", machine.url, machine.home / "back", "-x", regex)
    gone = machine.data("delete", machine.url, "-x", regex)

    assert {up.code, down.code, gone.code} == {2}
    assert set(machine.store.content(bucket)) == {"b"}
    assert not (machine.home / "back").exists()


def test_a_regex_that_never_ends_is_ended(machine: Machine, bucket: str) -> None:
    machine.store.put(bucket, {"a" * 60 + "!": b""})

    said = machine.data("download", machine.url, machine.home / "back", "-x", "^(a+)+$")

    assert said.code == 2
    assert "takes too much time" in said.err


def test_a_link_that_leaves_the_folder_is_not_uploaded(machine: Machine, bucket: str) -> None:
    (machine.home / "secret").write_bytes(b"secret")
    folder = machine.writes({"a": b"a"})
    (folder / "link").symlink_to(machine.home / "secret")

    said = machine.data("upload", machine.url, folder)

    assert (said.code, "link is a link that leaves" in said.err) == (2, True)
    assert machine.store.content(bucket) == {}


@pytest.mark.parametrize("key", ["../escaped", "x/../../escaped", "./x", "x//y"])
def test_no_key_leads_out_of_the_folder(machine: Machine, bucket: str, key: str) -> None:
    machine.store.put(bucket, {"in/good": b"good", f"in/{key}": b"evil"})

    said = machine.data("download", f"{machine.url}/in", machine.home / "back")

    assert said.code == 2
    assert not (machine.home / "back").exists(), "and what is good is not half of it"


def test_a_link_in_the_folder_leads_no_file_out_of_it(machine: Machine, bucket: str) -> None:
    machine.store.put(bucket, {"deep/a": b"a"})
    back, outside = machine.home / "back", machine.home / "outside"
    back.mkdir()
    outside.mkdir()
    (back / "deep").symlink_to(outside)

    said = machine.data("download", machine.url, back)

    assert (said.code, "is behind a link that leaves" in said.err) == (2, True)
    assert files(outside) == {}


def test_a_file_given_twice_is_refused_before_anything_is_sent(
    machine: Machine, bucket: str, tmp_path: Path
) -> None:
    one = machine.writes({"a": b"a"}) / "a"
    (tmp_path / "other").mkdir()
    (tmp_path / "other/a").write_bytes(b"A")

    said = machine.data("upload", machine.url, one, tmp_path / "other/a")

    assert (said.code, "a is given twice" in said.err) == (2, True)
    assert machine.store.content(bucket) == {}


def test_what_does_not_fit_is_not_begun(machine: Machine) -> None:
    machine.home.joinpath("back").mkdir()

    with pytest.raises(TransferFailed, match="make room"):
        require_room(str(machine.home / "back"), 1 << 62)


def test_keys_of_osmos_client_are_found_and_ours_go_before_them(
    machine: Machine, tmp_path: Path
) -> None:
    osmo = tmp_path / ".config/osmo"
    osmo.mkdir(parents=True)
    ours = machine.config / "config.yaml"
    (osmo / "config.yaml").write_text(ours.read_text().replace(KEY_ID, "of-osmo"))
    environ = {"HOME": str(tmp_path)}

    theirs = LocalKeys(environ, tmp_path / "none").all()[machine.url]
    both = LocalKeys(environ, machine.config).all()[machine.url]

    assert (theirs["access_key_id"], both["access_key_id"]) == ("of-osmo", KEY_ID)


def test_kept_keys_are_their_owners_alone_and_forgotten_by_their_url(tmp_path: Path) -> None:
    keys = LocalKeys({"HOME": str(tmp_path)}, tmp_path / "config")

    file = keys.keep("s3://b/", {"endpoint": "s3://b", "access_key_id": "i", "access_key": "k"})
    kept = keys.all()
    keys.forget("s3://b")

    assert kept == {"s3://b": {"access_key_id": "i", "access_key": "k"}}
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.all() == {}


@pytest.mark.parametrize("text", ["a: [", "- x", "auth: x", "auth: {data: {'s3://b': {}}}"])
def test_a_file_of_keys_that_is_none_is_told_of_without_a_line_of_it(
    machine: Machine, text: str
) -> None:
    (machine.config / "config.yaml").write_text(f"{text}\n# {SECRET}\n")

    said = machine.data("list", machine.url)

    assert (said.code, "config.yaml" in said.err) == (2, True)
    assert SECRET not in said.err


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, None),
        ({"access_key_id": "another"}, "the store refuses access"),
        ({"override_url": "http://127.0.0.1:1"}, "(override_url) does not answer"),
        ({"endpoint": "s3://no-such-bucket"}, "there is no such bucket"),
    ],
)
def test_keys_are_tried_before_they_are_kept_and_kept_where_they_are_needed(
    machine: Machine, bucket: str, keys: dict[str, str], says: str | None
) -> None:
    (machine.config / "config.yaml").unlink()
    values = {"endpoint": machine.url, **machine.store.keys(**keys)}
    service = Service({"POST /api/credentials/mine": None})
    environ = {"XYLEM_URL": "https://xylem.example", "XYLEM_CONFIG_DIR": str(machine.config)}
    words = ("credential", "set", "mine", "--type", "DATA", "--payload")
    pairs = [f"{key}={value}" for key, value in values.items()]

    said = xylem(*words, *pairs, environ=environ, service=service)
    kept = LocalKeys({"HOME": str(machine.home)}, machine.config).all()

    assert SECRET not in said.out + said.err
    if says is None:
        assert (said.code, len(service.requests)) == (0, 1), said.err
        assert kept[machine.url]["access_key"] == SECRET
    else:
        assert (said.code, says in said.err, "--no-check" in said.err) == (2, True, True)
        assert (service.requests, kept) == ([], {})


class _NoPatience(Event):
    """Waits between tries take no time."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def _remote(machine: Machine) -> Remote:
    keys: ObjectStore = machine.store
    return Remote(machine.url, {machine.url: keys.keys()})
