"""Inputs down and outputs up, from and to a store that fails as stores do.

The store and the Logger are a small server; waits between rounds take no time, and are counted.
"""

import json
import os
from pathlib import Path
from threading import Event

import pytest

from operators.shared.files import PARTS, TransferFailed
from operators.shared.patience import Stopped
from operators.task_runtime import data
from operators.task_runtime.api import Api, Refusal, Token
from operators.task_runtime.data import PAGE_FILES, ROUNDS, THREADS
from tests.unit.operators.task_runtime.patience import Patience
from tests.unit.operators.task_runtime.services import (
    FIRST_TOKEN,
    FORGET_TO_ANSWER,
    HANG_UP,
    Answer,
    Services,
)

INPUTS = "/api/runtime/inputs"
OUTPUTS = "/api/runtime/outputs"
STORED = "/store/inputs/0"


class Pod:
    """The folders of a pod, and what its sidecar does with them."""

    def __init__(self, root: Path, api: Api, patience: Event) -> None:
        self.input = root / "input"
        self.output = root / "output"
        self.output.mkdir()
        self.said: list[str] = []
        self._api = api
        self._patience = patience

    def download(self, inputs: int = 1) -> None:
        wanted = [{"index": index, "task": f"task-{index}"} for index in range(inputs)]
        data.download(
            wanted, str(self.input), api=self._api, say=self.said.append, stop=self._patience
        )

    def upload(self) -> None:
        data.upload(str(self.output), api=self._api, say=self.said.append, stop=self._patience)

    def downloaded(self, index: int = 0) -> dict[str, bytes]:
        folder = self.input / str(index)
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    def writes(self, **files: bytes) -> None:
        for name, content in files.items():
            (self.output / name).write_bytes(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def pod(tmp_path: Path, api: Api, patience: Patience) -> Pod:
    return Pod(tmp_path, api, patience)


# Down ---------------------------------------------------------------------------------------------


def test_each_input_comes_into_a_folder_of_its_number(pod: Pod, services: Services) -> None:
    services.inputs = [[("a", b"first")], [("a", b"second"), ("deep/er/b", b"third")]]

    pod.download(inputs=2)

    assert pod.downloaded(0) == {"a": b"first"}
    assert pod.downloaded(1) == {"a": b"second", "deep/er/b": b"third"}
    assert names(pod.input) == ["0", "1"]


def test_an_input_without_a_file_is_an_empty_folder(pod: Pod, services: Services) -> None:
    services.inputs = [[]]

    pod.download()

    assert pod.downloaded() == {}
    assert (pod.input / "0").is_dir()


def test_files_come_whole_whatever_their_size_and_number(pod: Pod, services: Services) -> None:
    files = {f"file {number} ü%?#": bytes([number]) * number * 1000 for number in range(40)}
    services.inputs = [list(files.items())]
    services.page_files = 15

    pod.download()

    assert pod.downloaded() == files
    assert services.paths("POST") == [INPUTS] * 3
    assert pod.said == [pod.said[-1]]
    assert pod.said[-1].startswith("Downloading input 0 from task-0: 40 files, 780.0 KB in ")


@pytest.mark.parametrize(
    "trouble",
    [
        HANG_UP,
        FORGET_TO_ANSWER,
        Answer(500),
        Answer(403),
        Answer(404),
        Answer(200, b"ab", cut=True),
    ],
)
def test_what_failed_comes_in_the_next_round_with_a_fresh_url(
    pod: Pod, services: Services, patience: Patience, trouble: Answer
) -> None:
    services.inputs = [[("bad", b"bad"), ("good", b"good")]]
    services.next("GET", f"{STORED}/bad", trouble, trouble)

    pod.download()

    assert pod.downloaded() == {"bad": b"bad", "good": b"good"}
    assert services.paths("POST") == [INPUTS] * 3
    tries = [asked.path for asked in services.asked if asked.path.startswith(f"{STORED}/bad?")]
    assert len(set(tries)) == len(tries) == 3
    assert services.paths("GET").count(f"{STORED}/good") == 1
    assert len(patience.waited) == 2


def test_a_file_that_was_cut_goes_on_where_it_was(pod: Pod, services: Services) -> None:
    whole = bytes(range(256)) * 5000
    services.inputs = [[("large", whole)]]
    half = Answer(200, whole, cut=True)
    services.next("GET", f"{STORED}/large", half)

    pod.download()

    assert pod.downloaded() == {"large": whole}
    begun = [asked.begin for asked in services.asked if asked.method == "GET"]
    assert begun == [0, len(whole) // 2]


@pytest.mark.parametrize("begun", [b"", b"wrong"])
def test_a_file_that_came_damaged_is_fetched_again(
    pod: Pod, services: Services, begun: bytes
) -> None:
    services.inputs = [[("file", b"right and whole")]]
    wrong = Answer(200, b"wrong and whole", cut=bool(begun), tag=f'"{"0" * 32}"')
    services.next("GET", f"{STORED}/file", wrong)

    pod.download()

    assert pod.downloaded() == {"file": b"right and whole"}


def test_an_upload_that_arrived_damaged_is_sent_again(pod: Pod, services: Services) -> None:
    pod.writes(file=b"right")
    services.next("PUT", "/store/outputs/file", Answer(200, tag=f'"{"0" * 32}"'))

    pod.upload()

    assert services.outputs == {"file": b"right"}
    assert services.paths("PUT").count("/store/outputs/file") == 2


def test_a_file_that_always_comes_damaged_is_never_taken(pod: Pod, services: Services) -> None:
    services.inputs = [[("file", b"right")]]
    wrong = Answer(200, b"wrong", tag=f'"{"0" * 32}"')
    services.next("GET", f"{STORED}/file", *[wrong] * ROUNDS)

    with pytest.raises(TransferFailed, match="it came damaged"):
        pod.download()

    assert pod.downloaded() == {}


def test_nothing_of_a_failed_try_is_left_behind(pod: Pod, services: Services) -> None:
    services.inputs = [[(f"{number}", b"whole") for number in range(THREADS * 3)]]
    for number in range(THREADS * 3):
        half = Answer(200, b"ha", cut=True)
        services.next("GET", f"{STORED}/{number}", half, Answer(200, b"other size"))

    pod.download()

    assert names(pod.input) == ["0"]


def test_a_download_that_fails_for_good_leaves_no_half_of_a_file(
    pod: Pod, services: Services
) -> None:
    services.inputs = [[("bad", b"bad")]]
    services.next("GET", f"{STORED}/bad", *[Answer(200, b"ba", cut=True)] * ROUNDS)

    with pytest.raises(TransferFailed):
        pod.download()

    assert pod.downloaded() == {}
    assert names(pod.input / PARTS) == []


def test_a_file_that_never_comes_fails_after_eight_rounds_and_seven_waits(
    pod: Pod, services: Services, patience: Patience
) -> None:
    services.inputs = [[("bad", b"bad"), ("good", b"good")]]
    services.next("GET", f"{STORED}/bad", *[Answer(503)] * 100)

    with pytest.raises(TransferFailed, match=r"bad: the store answered 503 \(8 attempts\)"):
        pod.download()

    assert services.paths("GET").count(f"{STORED}/bad") == ROUNDS
    assert len(patience.waited) == ROUNDS - 1


def test_a_file_of_another_size_than_announced_is_not_taken(pod: Pod, services: Services) -> None:
    services.inputs = [[("bad", b"12345")]]
    services.announced = {"bad": 6}

    with pytest.raises(TransferFailed, match="bad: 5 bytes came instead of 6"):
        pod.download()

    assert pod.downloaded() == {}


def test_a_file_that_is_there_already_is_not_fetched_again(pod: Pod, services: Services) -> None:
    services.inputs = [[("here", b"same"), ("gone", b"gone")]]
    pod.download()
    (pod.input / "0" / "gone").unlink()
    services.asked.clear()

    pod.download()

    assert services.paths("GET") == [f"{STORED}/gone"]
    assert pod.downloaded() == {"here": b"same", "gone": b"gone"}


def test_a_file_that_is_there_in_another_size_is_fetched_anew(pod: Pod, services: Services) -> None:
    services.inputs = [[("file", b"whole")]]
    (pod.input / "0").mkdir(parents=True)
    (pod.input / "0" / "file").write_bytes(b"half")

    pod.download()

    assert pod.downloaded() == {"file": b"whole"}


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(
    pod: Pod, services: Services, tmp_path: Path
) -> None:
    services.inputs = [[("file", b"whole")]]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"other")
    (pod.input / "0").mkdir(parents=True)
    (pod.input / "0" / "file").symlink_to(elsewhere)

    pod.download()

    assert elsewhere.read_bytes() == b"other"
    assert not (pod.input / "0" / "file").is_symlink()


def test_what_a_killed_sidecar_left_half_done_does_not_hinder_the_next(
    pod: Pod, services: Services
) -> None:
    services.inputs = [[("file", b"whole")]]
    (pod.input / PARTS).mkdir(parents=True)
    (pod.input / PARTS / "4711").write_bytes(b"ha")

    pod.download()

    assert pod.downloaded() == {"file": b"whole"}
    assert names(pod.input) == ["0"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../escape", "a/../../escape", "a//b", "./a", "a/.", "", "a/", "a\0b"]
)
def test_a_path_that_leads_elsewhere_is_not_written(
    pod: Pod, services: Services, tmp_path: Path, path: str
) -> None:
    page = {"files": [{"path": path, "size": 0, "url": f"{services.url}/store/x"}], "cursor": None}
    services.next("POST", INPUTS, Answer(200, json.dumps(page).encode()))

    with pytest.raises(TransferFailed, match="outside of the input's folder"):
        pod.download()

    assert services.paths("GET") == []
    assert not (tmp_path / "escape").exists()


@pytest.mark.parametrize(
    ("path", "url"), [("file", "ftp://store/file"), ("file", "nothing"), ("\ud800", "http://x/y")]
)
def test_what_cannot_be_fetched_at_all_is_a_failure_and_no_missing_file(
    pod: Pod, services: Services, path: str, url: str
) -> None:
    page = {"files": [{"path": path, "size": 1, "url": url}], "cursor": None}
    services.next("POST", INPUTS, Answer(200, json.dumps(page).encode()))

    with pytest.raises(TransferFailed, match="Error: "):
        pod.download()


def test_a_file_where_a_folder_must_be_fails_at_once(
    pod: Pod, services: Services, patience: Patience
) -> None:
    services.inputs = [[("a/b", b"x")]]
    (pod.input / "0").mkdir(parents=True)
    (pod.input / "0" / "a").write_bytes(b"in the way")

    with pytest.raises(TransferFailed, match="a/b"):
        pod.download()

    assert patience.waited == []
    assert names(pod.input / PARTS) == []


def test_a_refused_input_is_not_asked_for_again(pod: Pod, services: Services) -> None:
    services.next("POST", INPUTS, Answer(400, b'{"message": "There is no input 0."}'))

    with pytest.raises(Refusal, match=r"There is no input 0\."):
        pod.download()


def test_a_pod_that_is_to_end_downloads_no_more(services: Services, tmp_path: Path) -> None:
    patience = Patience(lasts=0)
    api = Api(f"{services.url}/api", Token(FIRST_TOKEN), patience)
    pod = Pod(tmp_path, api, patience)
    services.inputs = [[("bad", b"bad")]]
    services.next("GET", f"{STORED}/bad", *[Answer(503)] * 100)

    with pytest.raises(Stopped):
        pod.download()

    assert services.paths("GET") == [f"{STORED}/bad"]


def test_a_transfer_that_was_stopped_ends_as_stopped(services: Services, tmp_path: Path) -> None:
    patience = Patience()
    patience.set()
    pod = Pod(tmp_path, Api(f"{services.url}/api", Token(FIRST_TOKEN), patience), patience)
    services.inputs = [[("file", b"x")]]

    with pytest.raises(Stopped):
        pod.download()

    assert services.paths("GET") == []


# Up -----------------------------------------------------------------------------------------------


def test_all_files_are_uploaded_under_their_paths(pod: Pod, services: Services) -> None:
    (pod.output / "deep" / "er").mkdir(parents=True)
    (pod.output / "deep" / "er" / "ü %?#").write_bytes(b"deep")
    (pod.output / ".hidden").write_bytes(b"hidden")
    (pod.output / "nothing").write_bytes(b"")
    (pod.output / "empty folder").mkdir()

    pod.upload()

    assert services.outputs == {"deep/er/ü %?#": b"deep", ".hidden": b"hidden", "nothing": b""}
    assert pod.said[-1].startswith("Uploading outputs: 3 files, 10 bytes in ")


def test_an_empty_output_asks_for_nothing_and_says_nothing(pod: Pod, services: Services) -> None:
    (pod.output / "folder").mkdir()

    pod.upload()

    assert services.asked == []
    assert pod.said == []


def test_a_task_that_removed_its_output_folder_has_no_output(pod: Pod, services: Services) -> None:
    pod.output.rmdir()

    pod.upload()

    assert services.asked == []


def test_many_files_are_asked_for_by_the_page(pod: Pod, services: Services) -> None:
    for number in range(PAGE_FILES + 1):
        (pod.output / f"{number}").write_bytes(b"x")

    pod.upload()

    assert len(services.outputs) == PAGE_FILES + 1
    assert services.paths("POST") == [OUTPUTS] * 2


@pytest.mark.parametrize("trouble", [HANG_UP, FORGET_TO_ANSWER, Answer(403), Answer(503)])
def test_what_could_not_be_put_is_put_in_the_next_round_to_a_fresh_url(
    pod: Pod, services: Services, trouble: Answer
) -> None:
    pod.writes(bad=b"bad", good=b"good")
    services.next("PUT", "/store/outputs/bad", trouble, trouble)

    pod.upload()

    assert services.outputs == {"bad": b"bad", "good": b"good"}
    tries = [asked.path for asked in services.asked if asked.path.startswith("/store/outputs/bad")]
    assert len(set(tries)) == len(tries) == 3
    assert services.paths("PUT").count("/store/outputs/good") == 1


def test_an_upload_that_never_succeeds_fails_by_the_name_of_the_file(
    pod: Pod, services: Services
) -> None:
    pod.writes(bad=b"bad", good=b"good")
    services.next("PUT", "/store/outputs/bad", *[Answer(403)] * 100)

    with pytest.raises(TransferFailed, match=r"bad: the store answered 403 \(8 attempts\)"):
        pod.upload()

    assert services.outputs == {"good": b"good"}


def test_a_link_to_a_file_of_the_output_is_uploaded_as_that_file(
    pod: Pod, services: Services
) -> None:
    pod.writes(file=b"content")
    (pod.output / "link").symlink_to("file")

    pod.upload()

    assert services.outputs == {"file": b"content", "link": b"content"}


@pytest.mark.parametrize("target", ["../secret", "/etc/hostname", "..", "folder/../../secret"])
def test_a_link_that_leaves_the_output_folder_fails_the_upload(
    pod: Pod, services: Services, tmp_path: Path, target: str
) -> None:
    (tmp_path / "secret").write_bytes(b"token")
    (pod.output / "folder").mkdir()
    (pod.output / "folder" / "fine").write_bytes(b"x")
    (pod.output / "link").symlink_to(target)

    with pytest.raises(TransferFailed, match="link is a link that leaves the output folder"):
        pod.upload()

    assert services.outputs == {}


def test_a_folder_beside_the_output_with_a_name_that_begins_like_it_is_outside(
    pod: Pod, tmp_path: Path
) -> None:
    (tmp_path / "output-of-another").mkdir()
    (tmp_path / "output-of-another" / "secret").write_bytes(b"x")
    (pod.output / "link").symlink_to(tmp_path / "output-of-another" / "secret")

    with pytest.raises(TransferFailed, match="leaves the output folder"):
        pod.upload()


def test_a_link_to_a_folder_of_the_output_is_said_and_not_followed(
    pod: Pod, services: Services
) -> None:
    (pod.output / "folder").mkdir()
    (pod.output / "folder" / "file").write_bytes(b"x")
    (pod.output / "folder" / "loop").symlink_to(".")
    (pod.output / "link").symlink_to("folder")

    pod.upload()

    assert services.outputs == {"folder/file": b"x"}
    assert "link is a link to a folder of the output: only the folder is uploaded." in pod.said


def test_a_link_to_nothing_fails_the_upload(pod: Pod) -> None:
    (pod.output / "link").symlink_to("nothing")

    with pytest.raises(TransferFailed, match="link: No such file or directory"):
        pod.upload()


@pytest.mark.parametrize("name", [b"bad\xff", b"folder\xff/file"])
def test_a_name_that_is_not_utf8_fails_the_upload_and_can_be_said(pod: Pod, name: bytes) -> None:
    path = os.fsencode(pod.output) + b"/" + name
    Path(os.fsdecode(path)).parent.mkdir(exist_ok=True)
    Path(os.fsdecode(path)).write_bytes(b"x")

    with pytest.raises(TransferFailed, match="names of output files must be UTF-8") as failed:
        pod.upload()

    assert str(failed.value).encode()


def test_a_path_that_is_too_long_for_the_store_fails_the_upload(pod: Pod) -> None:
    folder = pod.output / "/".join(["x" * 200] * 5)
    folder.mkdir(parents=True)
    (folder / ("y" * 30)).write_bytes(b"x")

    with pytest.raises(TransferFailed, match="longer than 1024 bytes"):
        pod.upload()


def test_a_file_that_is_too_large_for_one_put_fails_the_upload(pod: Pod) -> None:
    with (pod.output / "sparse").open("wb") as file:
        file.truncate(data.LARGEST_UPLOAD + 1)

    with pytest.raises(TransferFailed, match="sparse is larger than 5 GiB"):
        pod.upload()


def test_what_is_neither_a_file_nor_a_folder_is_left_out(pod: Pod, services: Services) -> None:
    os.mkfifo(pod.output / "pipe")
    pod.writes(file=b"x")

    pod.upload()

    assert services.outputs == {"file": b"x"}


def test_a_folder_that_goes_away_meanwhile_takes_no_other_with_it(
    pod: Pod, services: Services, api: Api, patience: Patience
) -> None:
    for name in ("kept", "later gone"):
        (pod.output / name).mkdir()
    (pod.output / "kept" / "file").write_bytes(b"x")
    (pod.output / "z").symlink_to("kept")

    def removing_it(_: str) -> None:
        if (pod.output / "later gone").exists():
            (pod.output / "later gone").rmdir()

    data.upload(str(pod.output), api=api, say=removing_it, stop=patience)

    assert services.outputs == {"kept/file": b"x"}


class Meddling(Api):
    """Something happens to the output between its listing and its upload."""

    def __init__(self, api_url: str, output: Path, content: bytes | None) -> None:
        super().__init__(api_url, Token(FIRST_TOKEN), Patience())
        self._file = output / "file"
        self._content = content

    def insist(self, path: str, payload: dict[str, object], timeout: float = 1.0) -> object:
        page = super().insist(path, payload, timeout)
        if self._content is None:
            self._file.unlink()
        else:
            self._file.write_bytes(self._content)
        return page


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_file_that_went_away_or_became_shorter_fails_the_upload_at_once(
    pod: Pod, services: Services, patience: Patience, content: bytes | None
) -> None:
    pod.writes(file=b"as it was")
    api = Meddling(f"{services.url}/api", pod.output, content)

    with pytest.raises(TransferFailed, match="file: "):
        data.upload(str(pod.output), api=api, say=pod.said.append, stop=patience)

    assert patience.waited == []
    assert services.outputs == {}


def test_a_file_that_grew_is_uploaded_as_it_was_announced(
    pod: Pod, services: Services, patience: Patience
) -> None:
    pod.writes(file=b"as it was")
    api = Meddling(f"{services.url}/api", pod.output, b"as it was and more")

    data.upload(str(pod.output), api=api, say=pod.said.append, stop=patience)

    assert services.outputs == {"file": b"as it was"}


# Words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (1_500_000, "1.5 MB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_sizes_are_said_as_people_say_them(size: int, said: str) -> None:
    lines: list[str] = []
    progress = data.Progress("Moving", lines.append)

    progress.moved(size)
    progress.finished()

    assert lines[-1].startswith(f"Moving: 1 file, {said} in ")
