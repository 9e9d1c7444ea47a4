"""An S3 over HTTP, and `xylem data` on a machine that has the keys of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import yaml

from clients.local.embedded_aws import install
from tests.contract.embedded_aws.server import EmbeddedAws, running
from tests.contract.task_runtime.object_store import ObjectStore, open_door
from tests.unit.clients.cli.world import Said, xylem

numbers = count(1)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    install.install()
    with running(EmbeddedAws(tmp_path_factory.mktemp("transfer") / "state")) as server:
        yield server


@pytest.fixture
def store(aws: EmbeddedAws) -> Iterator[ObjectStore]:
    with open_door(ObjectStore(aws)) as store:
        yield store


@pytest.fixture
def bucket(store: ObjectStore) -> str:
    name = f"data-{next(numbers)}"
    store.put(name, {})
    return name


@dataclass(frozen=True, slots=True)
class Machine:
    """A person's: a folder of files, and a configuration with the keys of one bucket."""

    home: Path
    url: str
    store: ObjectStore

    @property
    def config(self) -> Path:
        return self.home / "config"

    def keeps(self, **keys: str) -> None:
        self.config.mkdir(exist_ok=True)
        known = {"auth": {"data": {self.url: self.store.keys(**keys)}}}
        (self.config / "config.yaml").write_text(yaml.safe_dump(known))

    def writes(self, files: dict[str, bytes]) -> Path:
        folder = self.home / "files"
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    def data(self, *arguments: str | Path) -> Said:
        environ = {"XYLEM_CONFIG_DIR": str(self.config), "HOME": str(self.home)}
        return xylem("data", *map(str, arguments), environ=environ)


@pytest.fixture
def machine(tmp_path: Path, store: ObjectStore, bucket: str) -> Machine:
    machine = Machine(tmp_path, f"s3://{bucket}", store)
    machine.keeps()
    return machine


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
