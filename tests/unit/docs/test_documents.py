"""What the documents say is there: every path, link and command in them, and what the source says
of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from clients.cli.__main__ import root
from clients.local.settings import DEFAULT_PORTS
from functions.core_service.routes.pool_configs import PutPool
from tests.unit.docs.documents import (
    BASES,
    ROOT,
    TOP,
    Document,
    documents,
    exists,
    looks_like_a_path,
    named_by,
    sources,
)
from xylem import spec
from xylem.domain.ids import BackendName, PoolName
from xylem.domain.pool import Platform, Pool, Scheduler
from xylem.domain.pool_book import PoolBook, found, with_pool
from xylem.spec import group_templates, pod_templates
from xylem.spec.backend_tests import TestForm, put_test, told_tests
from xylem.spec.backends import BackendForm, put_backend
from xylem.spec.pools import PoolConfig, pool_of
from xylem.spec.validations import AssertionConfig, validation_of

DOCUMENTS = documents()
README = DOCUMENTS[0]
MY_CLUSTER = BackendName("my-cluster")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)


@each_document
def test_every_link_leads_to_what_is_there(document: Document) -> None:
    by_path = {known.path: known for known in DOCUMENTS}
    wrong = []
    for link in document.links:
        path, _, anchor = link.partition("#")
        target = (document.path.parent / path).resolve() if path else document.path
        known = by_path.get(target)
        if not target.exists() or (anchor and (known is None or anchor not in known.anchors)):
            wrong.append(link)

    assert wrong == []


@each_document
def test_every_path_that_is_named_exists(document: Document) -> None:
    missing = {path for path in document.paths if not exists(path, document.path.parent)}

    assert missing == set()


def test_every_document_is_reached_from_the_readme() -> None:
    by_path = {document.path: document for document in DOCUMENTS}
    reached: set[Path] = set()
    ahead = [README.path]
    while ahead:
        path = ahead.pop()
        if path in by_path and path not in reached:
            reached.add(path)
            ahead += [(path.parent / link).resolve() for link in by_path[path].links]

    assert reached == by_path.keys()


@each_document
def test_every_make_target_that_is_named_exists(document: Document) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for command in document.commands
        if command[0] == "make"
        for word in command[1:]
        if "=" not in word and not word.startswith("-")
    }

    assert named - known == set()


@each_document
def test_every_xylem_command_that_is_named_is_one_with_these_options(document: Document) -> None:
    wrong = [
        " ".join(words)
        for words in document.commands
        if Path(words[0]).name == "xylem" and not _is_understood(words[1:])
    ]

    assert wrong == []


def test_the_documents_name_commands_of_each_kind() -> None:
    """Else the two tests above would hold of documents that they cannot read."""
    first = {(Path(words[0]).name, *words[1:3]) for each in DOCUMENTS for words in each.commands}

    assert {("make", "demo"), ("xylem", "local", "up"), ("xylem", "token", "mint")} <= first


@each_document
def test_every_module_that_is_to_be_run_is_one(document: Document) -> None:
    modules = {
        words[words.index("-m") + 1]
        for words in document.commands
        if words[0].endswith("python") and "-m" in words
    }

    missing = {module for module in modules if not _is_program(module.replace(".", "/"))}
    assert missing == set()


@each_document
def test_every_variable_of_ours_that_is_named_is_read_somewhere(document: Document) -> None:
    named = set(re.findall(r"\bXYLEM_[A-Z0-9_]+\b", document.text))

    assert named - _variables() == set()


def test_the_ports_in_the_readme_are_the_ones_that_are_taken() -> None:
    [said] = re.findall(r"Ports are (\d+) and (\d+)", README.text)

    assert tuple(map(int, said)) == tuple(DEFAULT_PORTS.values())


def test_the_readme_names_every_example() -> None:
    examples = {path.stem for path in (ROOT / "examples").glob("*.yaml")}

    assert {name for name in examples if f"`{name}`" not in README.text} == set()


def test_the_pool_that_a_reader_is_told_to_register_runs_every_example() -> None:
    text = next(each for each in DOCUMENTS if str(each) == "docs/join-cluster.md").text
    [said] = re.findall(r'\{"configs": \{"backend": .*?\}(?=[`\'])', text)
    configs = PutPool.model_validate_json(said).configs
    pool = Pool(
        name=PoolName("my-pool"),
        backend=BackendName(configs.backend),
        default_platform=configs.default_platform,
        platforms={key: Platform() for key in configs.platforms},
    )

    for example in (ROOT / "examples").glob("*.yaml"):
        spec.check_pool(spec.parse(spec.render(example.read_text())), pool)


def test_the_templates_that_a_reader_is_told_to_set_are_taken() -> None:
    page = next(each for each in DOCUMENTS if each.path.name == "join-cluster.md")
    puts = re.findall(r"put (\w+)/([\w-]+)\s+'(.*?)'(?=\n|`)", page.text, re.DOTALL)
    book = PoolBook()
    told = []

    for kind, name, config in puts:
        told.append(kind)
        match kind:
            case "pod_template":
                template = pod_templates.template_of(json.loads(config))
                book = pod_templates.put_template(name, template, book)
            case "group_template":
                template = group_templates.template_of(json.loads(config))
                book = group_templates.put_template(name, template, book)
            case "pool":
                pool = pool_of(name, PoolConfig.model_validate_json(config), book)
                book = with_pool(pool, book)
            case "resource_validation":
                conditions = [AssertionConfig.model_validate(one) for one in json.loads(config)]
                validation_of(conditions)
            case "backend_test":
                book = put_test(name, TestForm.model_validate_json(config), book)
            case _:
                pytest.fail(f"nobody puts a {kind}")

    for said in re.findall(
        r'\{"configs": (\{"(?:node_conditions|tests)": .*?\})\}(?=\')', page.text
    ):
        book = put_backend(MY_CLUSTER, BackendForm.model_validate_json(said), book)

    assert told == [
        *("pod_template", "pod_template", "pool", "resource_validation"),
        *("group_template", "pool"),
        *("pod_template", "backend_test"),
    ]
    assert set(book.backends[MY_CLUSTER].node_conditions.rules) == {
        "osmo.nvidia.com/.*",
        "DiskPressure",
    }
    [test] = told_tests(MY_CLUSTER, book)
    assert (test["name"], test["conditions"]) == ("gpu", ["osmo.nvidia.com/gpu"])
    platform = found("my-pool", book).platforms["h100"]
    assert platform.labels == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}


def test_the_scheduler_that_a_reader_is_told_to_set_is_taken() -> None:
    page = next(each for each in DOCUMENTS if each.path.name == "join-cluster.md")
    [said] = re.findall(r'\{"configs": (\{"scheduler_settings": .*?\})\}(?=\')', page.text)

    book = put_backend(MY_CLUSTER, BackendForm.model_validate_json(said), PoolBook())

    assert book.backends[MY_CLUSTER].scheduler == Scheduler("kai", "kai-scheduler")


def test_every_function_has_its_rights_written_down() -> None:
    page = next(each for each in DOCUMENTS if each.path.name == "deploy-aws.md")
    rows = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", page.text, re.MULTILINE)
    written = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/__init__.py")}

    assert {name.replace("-", "_") for name in written} >= folders - {"authorizer"}
    assert {"authorizer-http", "authorizer-websocket", "agent-ingest"} <= written


def test_every_document_and_test_that_the_source_refers_to_exists() -> None:
    found = [(path, line, name) for path in sources() for line, name in named_by(path)]
    missing = {
        f"{path.relative_to(ROOT)}:{line} names {name}"
        for path, line, name in found
        if not exists(name)
    }

    assert len(found) > 20, "the source does refer to them"
    assert missing == set()


@pytest.mark.parametrize(
    "code", ["docs/nowhere.md", "domain/nobody.py", "nobody.md", "tests/never/*", "operators/none"]
)
def test_a_path_that_is_not_there_is_noticed(code: str) -> None:
    assert looks_like_a_path(code)
    assert not exists(code)


@pytest.mark.parametrize(
    "code", ["README.md", "domain/group.py", "xylem/ports/jobs.py", "docs/*.md"]
)
def test_a_path_that_is_there_is_found(code: str) -> None:
    assert looks_like_a_path(code)
    assert exists(code)


@pytest.mark.parametrize("line", ["workflow sumbit", "local up --port-awss 1", "tokens mint"])
def test_a_command_that_is_not_there_is_noticed(line: str) -> None:
    assert not _is_understood(line.split())


def _is_understood(words: list[str]) -> bool:
    """Whether the words lead to a command, and the options after them are its own."""
    command: Any = typer.main.get_command(root)
    context = typer.Context(command)
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        following = command.get_command(context, words[0])
        if following is None:
            return False
        command, words = following, words[1:]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("-") and word != "-"}
    return given <= {*known, "--help"}


def _is_program(path: str) -> bool:
    if path == "venv":
        return True
    candidates = (f"{path}.py", f"{path}/__main__.py")
    return any((ROOT / base / each).is_file() for base in BASES for each in candidates)


def _variables() -> set[str]:
    """Every one that the source spells out, in code or in the words beside it."""
    paths = (path for folder in TOP for path in (ROOT / folder).rglob("*.py"))
    here = Path(__file__).parent
    texts = (path.read_text() for path in paths if here not in path.parents)
    return {name for text in texts for name in re.findall(r"\bXYLEM_[A-Z0-9_]+\b", text)}
