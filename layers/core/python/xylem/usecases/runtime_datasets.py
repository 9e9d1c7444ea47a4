"""Datasets for a task's pod: files of a version as an input, and a version of its output.

An input is of the version that it had when its first page was asked for; the pod says which that
was with every further one. An output is begun, sent and finished by the rules of every upload, in
the name of the workflow's user, and only into a version that this workflow began itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from xylem.domain import dataset as rules
from xylem.domain import nested
from xylem.domain.dataset import Dataset, Reference, Version
from xylem.domain.dataset_config import bucket_for
from xylem.domain.errors import Forbidden, InvalidRequest
from xylem.domain.ids import UserName
from xylem.domain.manifest import MANIFEST_BYTES, FileEntry, content, inside, read
from xylem.domain.plan import DatasetInput, DatasetOutput, TaskPlan, UrlInput
from xylem.domain.tokens import OUTPUT_FOLDER, substitute
from xylem.domain.values import dataclass
from xylem.matching import BadPattern, matching
from xylem.ports.blobs import Blobs
from xylem.ports.catalog import SignedPut
from xylem.ports.task_tokens import Attempt
from xylem.ports.workflows import Workflows
from xylem.protocol.runtime import (
    PAGE_FILES,
    DatasetContents,
    DatasetFinish,
    DatasetFinished,
    DatasetListing,
    DatasetPart,
    DatasetPut,
    DatasetStarted,
    DatasetWanted,
    InputFile,
    InputPage,
    InputQuery,
    OfDataset,
    WantedContent,
)
from xylem.usecases import dataset_transfers, datasets
from xylem.usecases.dataset_collections import pinned
from xylem.usecases.datasets import Engine, ensure_manifest
from xylem.usecases.runtime import live_attempt, plan_of

MOST_KEPT = 4

Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A version that is an input, and the folder that it has there."""

    version: Version
    folder: str


class Listings:
    """What versions list, of which a process answers many pages: they never change."""

    def __init__(self) -> None:
        self._kept: dict[Key, tuple[FileEntry, ...]] = {}

    def of(self, version: Version, regex: str, *, engine: Engine) -> tuple[FileEntry, ...]:
        """Raises `InvalidRequest`."""
        key = (version.dataset, version.number, regex)
        if key not in self._kept:
            body = engine.dataset_store.read(
                ensure_manifest(version, engine=engine), most=4 * MANIFEST_BYTES
            )
            entries = read(body or b"[]", most=4 * MANIFEST_BYTES)
            try:
                fits = matching(regex, [one.path for one in entries], at_start=True)
            except BadPattern as error:
                raise InvalidRequest(str(error)) from None
            if len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            found = tuple(one for one, fit in zip(entries, fits, strict=True) if fit)
            self._kept[key] = found
        return self._kept[key]


def inputs(
    attempt: Attempt,
    wanted: DatasetInput,
    query: InputQuery,
    *,
    listings: Listings,
    engine: Engine,
) -> InputPage:
    """Raises `InvalidRequest`; `Gone` where it was deleted."""
    name = _filled(wanted.dataset, attempt)
    regex = _filled(wanted.regex, attempt)
    chosen = _chosen(name, query.at, engine)
    files = [
        (one, entry) for one in chosen for entry in listings.of(one.version, regex, engine=engine)
    ]
    if not files:
        raise InvalidRequest(f"Dataset {name} has no file that was asked for.")
    start = int(query.cursor) if query.cursor and query.cursor.isdecimal() else 0
    page = files[start : start + PAGE_FILES]
    more = start + PAGE_FILES < len(files)
    return InputPage(
        files=[_file(one, entry, name, engine) for one, entry in page],
        cursor=str(start + PAGE_FILES) if more else None,
        at=",".join(str(one.version.number) for one in chosen),
    )


def start(
    attempt: Attempt, query: OfDataset, *, workflows: Workflows, store: Blobs, engine: Engine
) -> DatasetStarted:
    """Raises `InvalidRequest`, `Forbidden`."""
    live_attempt(attempt, workflows)
    task, output, at = _output(attempt, query.index, workflows, store)
    user = workflows.workflow(attempt.workflow).value.user
    source = None
    if output.updates:
        bucket, name = _place(at)
        source = dataset_transfers.readable(bucket, name, at.tag, engine=engine).url
    bucket, name = _place(at)
    tag = "" if output.updates or at.tag.isdecimal() or at.tag == rules.LATEST else at.tag
    _, version = datasets.start(
        bucket,
        name,
        by=user,
        metadata={"default": _lineage(attempt, task, user)},
        tag=tag,
        engine=engine,
    )
    return DatasetStarted(version=version.number, source=source)


def contents(
    attempt: Attempt, query: DatasetContents, *, workflows: Workflows, store: Blobs, engine: Engine
) -> DatasetWanted:
    """Raises `InvalidRequest`, `Forbidden`, `Conflict`."""
    _, _, at = _output(attempt, query.index, workflows, store)
    bucket, name = _own(attempt, at, query.version, engine)
    given = [content(one.etag, one.size) for one in query.contents]
    found = dataset_transfers.uploads(bucket, name, query.version, given, engine=engine)
    return DatasetWanted(
        contents=[
            WantedContent(
                etag=one.etag,
                there=one.there,
                put=DatasetPut(url=one.put.url, headers=list(one.put.headers.items()))
                if one.put
                else None,
                parts=[DatasetPart(number=number, url=url) for number, url in one.parts.items()],
            )
            for one in found
        ]
    )


def listing(
    attempt: Attempt, query: DatasetListing, *, workflows: Workflows, store: Blobs, engine: Engine
) -> DatasetPut:
    """Raises `InvalidRequest`, `Forbidden`."""
    _, _, at = _output(attempt, query.index, workflows, store)
    bucket, name = _own(attempt, at, query.version, engine)
    put = dataset_transfers.upload_listing(
        bucket, name, query.version, query.md5, query.size, engine=engine
    )
    return _put(put)


def finish(
    attempt: Attempt, query: DatasetFinish, *, workflows: Workflows, store: Blobs, engine: Engine
) -> DatasetFinished:
    """Raises `InvalidRequest`, `Forbidden`, `Conflict`."""
    _, output, at = _output(attempt, query.index, workflows, store)
    bucket, name = _own(attempt, at, query.version, engine)
    done = datasets.finish(
        bucket,
        name,
        query.version,
        listing=query.listing,
        tag="" if output.updates else at.tag,
        labels=_tree(query.labels, "labels"),
        metadata=_tree(query.metadata, "metadata"),
        engine=engine,
    )
    return DatasetFinished(dataset=f"{bucket}/{name}:{done.version.number}")


def _put(signed: SignedPut) -> DatasetPut:
    return DatasetPut(url=signed.url, headers=list(signed.headers.items()))


def _chosen(name: str, at: str | None, engine: Engine) -> list[_Chosen]:
    """`at`: the numbers of an earlier page, in the order of what was chosen then."""
    reference = rules.reference(name)
    bucket = bucket_for(reference.bucket, engine.dataset_configs.datasets())
    dataset = datasets.require(bucket, reference.name, engine=engine).value
    if dataset.is_collection:
        return [
            _Chosen(_ready(one.dataset, one.version.number, engine), one.dataset.name)
            for one in pinned(dataset, engine=engine)
        ]
    tag = at if at and at.isdecimal() else reference.tag
    return [_Chosen(dataset_transfers.ready(dataset, tag, engine=engine), dataset.name)]


def _ready(dataset: Dataset, number: int, engine: Engine) -> Version:
    return dataset_transfers.ready(dataset, str(number), engine=engine)


def _file(one: _Chosen, entry: FileEntry, name: str, engine: Engine) -> InputFile:
    if entry.link is not None:
        raise InvalidRequest(
            f"{entry.path} of dataset {name} is a link to {entry.link}: tasks read what the "
            "dataset stores. Leave it out by a regex, or give its URL as an input of its own."
        )
    url = dataset_transfers.content_url(one.version, entry.etag, engine=engine)
    return InputFile(path=f"{one.folder}/{inside(entry.path)}", size=entry.size, url=url)


def _output(
    attempt: Attempt, index: int, workflows: Workflows, store: Blobs
) -> tuple[TaskPlan, DatasetOutput, Reference]:
    plan = plan_of(attempt, workflows, store)
    task = plan.group_of(attempt.task).task(attempt.task)
    if index >= len(task.datasets):
        raise InvalidRequest(
            f"Task {attempt.task} has {len(task.datasets)} datasets to write, no {index}."
        )
    output = task.datasets[index]
    return task, output, rules.reference(_filled(output.dataset, attempt))


def _own(attempt: Attempt, at: Reference, number: int, engine: Engine) -> tuple[str, str]:
    """The place of a version that this workflow began. Raises `Forbidden`."""
    bucket, name = _place(at)
    dataset = datasets.require(bucket, name, engine=engine).value
    version = datasets.require_version(dataset, str(number), engine=engine).value
    begun = version.metadata.get("default")
    if not isinstance(begun, Mapping) or begun.get("wfid") != attempt.workflow:
        raise Forbidden(f"Version {number} of {name} was not begun by {attempt.workflow}.")
    return bucket, name


def _place(at: Reference) -> tuple[str, str]:
    if at.bucket is None:
        raise InvalidRequest(f"{at} was submitted without a bucket: submit the workflow again.")
    return at.bucket, at.name


def _lineage(attempt: Attempt, task: TaskPlan, user: UserName) -> Mapping[str, Any]:
    """What OSMO writes of where a version comes from."""
    return {
        "input_data": [one.url for one in task.inputs if isinstance(one, UrlInput)],
        "input_datasets": [
            _filled(one.dataset, attempt) for one in task.inputs if isinstance(one, DatasetInput)
        ],
        "wfid": attempt.workflow,
        "created_by": user,
    }


def _filled(text: str, attempt: Attempt) -> str:
    return substitute(text, {"workflow_id": attempt.workflow, "output": OUTPUT_FOLDER})


def _tree(texts: Sequence[str], what: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = {}
    for text in texts:
        try:
            given = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError) as error:
            said = " ".join(str(error).split())
            raise InvalidRequest(f"A file of {what} is no YAML: {said}") from None
        if given is None:
            continue
        if not isinstance(given, Mapping):
            raise InvalidRequest(f"A file of {what} has to be keys with values.")
        found = nested.merged(found, _plain(given), what=what)
    return found


def _plain(value: Any) -> Any:
    """YAML knows dates, JSON does not."""
    match value:
        case Mapping():
            return {str(key): _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
