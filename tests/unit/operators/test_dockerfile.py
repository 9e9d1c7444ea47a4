"""The Dockerfile, as far as it can be held to its word where no image can be built.

A linter reads it. Its stages are read here, too, and what they copy is copied: what would lie in
the operator's image is started, with this interpreter's own packages in place of the image's.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import pytest

from operators.task_runtime.build import CORE, MODULES
from tests.builders_chart import the
from tests.builders_spec import a_plan, a_planned_task, facts_of
from xylem.manifests.pod import pod
from xylem.manifests.runtime import CTRL_IN_IMAGE, EXEC_IN_IMAGE

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "operators" / "Dockerfile"
TARGETS = ("operator", "task-runtime")
ABOVE_ALL = "${PYTHON_IMAGE}"


@dataclass
class Stage:
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def last(self, word: str) -> str:
        return next(text for step, text in reversed(self.steps) if step == word)

    @property
    def copies(self) -> list[tuple[str | None, list[str], str]]:
        """From which stage (None: the tree), what, and to where."""
        found = []
        for word, text in self.steps:
            if word == "COPY":
                *sources, target = text.split()
                stage = None
                if sources[0].startswith("--from="):
                    stage = sources.pop(0).partition("=")[2]
                found.append((stage, sources, target))
        return found


def stages() -> dict[str, Stage]:
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = Stage(base)
        elif found:
            list(found.values())[-1].steps.append((word, rest.strip()))
    return found


def lineage(name: str) -> list[Stage]:
    """The stage and those that it is built upon, the first of them first."""
    known = stages()
    line = [known[name]]
    while line[0].base in known:
        line.insert(0, known[line[0].base])
    return line


def copied_from_the_tree() -> list[str]:
    return [
        source
        for stage in stages().values()
        for origin, sources, _ in stage.copies
        if origin is None
        for source in sources
    ]


def test_the_linter_finds_nothing() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"

    done = subprocess.run([hadolint, "--no-color", DOCKERFILE], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_would_find_something(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.read_text().replace("# hadolint ignore=DL3002\n", ""))

    done = subprocess.run([hadolint, "--no-color", worse], capture_output=True, text=True)

    assert "DL3002" in done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_starts_from_the_pinned_base_and_not_from_where_it_was_built(target: str) -> None:
    pinned = re.search(r"^ARG PYTHON_IMAGE=python:(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert pinned
    assert re.fullmatch(r"3\.1[123]\.\d+-slim-\w+", pinned[1])
    assert stages()[target].base == ABOVE_ALL
    assert "RUN" not in [word for word, _ in stages()[target].steps]


def test_every_stage_is_built_upon_another_one_or_the_base() -> None:
    known = stages()

    assert set(TARGETS) <= set(known)
    for stage in known.values():
        assert stage.base in {ABOVE_ALL, *known}
        assert {origin for origin, _, _ in stage.copies} <= {None, *known}


def test_the_operator_is_a_user_with_a_number_that_the_chart_runs_it_as() -> None:
    user, _, group = stages()["operator"].last("USER").partition(":")
    context = the("Deployment")["spec"]["template"]["spec"]["securityContext"]

    assert (int(user), int(group)) == (context["runAsUser"], context["runAsGroup"])
    assert int(user) >= 10_000, "below are users of the nodes"


def test_the_sidecar_is_root_only_as_long_as_it_needs_a_capability_that_root_alone_keeps() -> None:
    [_, ctrl] = pod(a_plan(task := a_planned_task()), task, facts_of(a_plan(task)))["spec"][
        "containers"
    ]

    assert ctrl["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}
    assert "runAsUser" not in ctrl["securityContext"], "then the image need not say it"
    assert stages()["task-runtime"].last("USER") == "0:0"


def test_what_is_copied_is_in_the_tree_and_let_through_to_the_builder() -> None:
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    through = [line[1:] for line in ignored if line.startswith("!")]

    assert "*" in ignored
    for source in copied_from_the_tree():
        assert (ROOT / source).exists(), source
        assert any(Path(source).is_relative_to(path) for path in through), source


def test_no_secret_can_be_in_an_image() -> None:
    words = DOCKERFILE.read_text()

    assert not re.search(r"--mount=type=secret|ARG\s+\w*(TOKEN|SECRET|PASSWORD|KEY)", words)
    for path in copied_from_the_tree():
        assert not fnmatch(path, "*.xylem*")
        assert path not in {".", "./", "*"}


def test_versions_come_from_the_lock_file_and_the_makefile() -> None:
    words = DOCKERFILE.read_text()
    uv = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert uv
    assert f"uv=={uv[1]}" in words
    assert words.count("uv sync") == words.count("uv sync --frozen") == len(TARGETS)
    groups = set(re.findall(r"--only-group (\S+)", words))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert groups == set(TARGETS) <= set(project["dependency-groups"])


# What would be in them ----------------------------------------------------------------------------


def lay(name: str, root: Path) -> None:
    """What the stage and those below it copy from the tree."""
    place = Path("/")
    for stage in lineage(name):
        for word, text in stage.steps:
            if word == "WORKDIR":
                place = Path(text)
            if word != "COPY" or text.startswith("--from="):
                continue
            *sources, target = text.split()
            for source in sources:
                there = root / (place / target).relative_to("/")
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, there, dirs_exist_ok=True)
                elif target.endswith("/"):
                    there.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, there)
                else:
                    there.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, there)


def test_what_the_operators_image_holds_is_all_that_the_operator_imports(tmp_path: Path) -> None:
    lay("operator", tmp_path)
    words = shlex.split(stages()["operator"].last("ENTRYPOINT").strip("[]").replace(",", " "))

    done = subprocess.run(
        [sys.executable, *words[1:]],
        cwd=tmp_path / "app",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path / 'app'}:{CORE}"},
        capture_output=True,
        text=True,
    )

    assert words[:1] == ["python"]
    assert "Set either XYLEM_TOKEN or XYLEM_TOKEN_FILE" in done.stderr
    assert not (tmp_path / "app" / "operators" / "desk_cluster").exists()


def test_what_the_task_runtime_is_built_from_is_there_when_it_is_built(tmp_path: Path) -> None:
    lay("task-runtime-build", tmp_path)

    for root, name in MODULES:
        assert (tmp_path / "src" / root.relative_to(ROOT) / name).is_file(), name
    assert list((tmp_path / "src/operators/native").glob("*.c"))


def test_pods_find_the_programs_where_the_image_has_them() -> None:
    [(origin, sources, target)] = stages()["task-runtime"].copies
    run = stages()["task-runtime-build"].last("RUN")

    assert (origin, sources, target) == ("task-runtime-build", ["/image/opt"], "/opt")
    assert "--output /image" in run
    assert EXEC_IN_IMAGE.startswith("/opt/xylem/bin/")
    assert CTRL_IN_IMAGE.startswith("/opt/xylem/bin/")
