"""Every guard and every row of a table in `domain/`, changed one at a time: `make prove-mutation`.

A test suite that passes says little; one that fails for each change of what it tests says that
nothing is there unasked. A change is

* a guard (of an `if`, a conditional, a comprehension, a `case`, an operand of `and` and `or`) that
  always holds, or never;
* a comparison turned into its neighbour (`<` into `<=`, `==` into `!=`, `in` into `not in`);
* a row taken out of a table: an element of a tuple, list, set or dictionary of a module.

Each is written into a copy of `layers/core`, on which the tests of the domain run; while nobody
notices, schedules of the simulation, and the stories. What nobody notices has survived: it is
listed with its line, and with the reason that `survivors.toml` gives for it where there is one (a
change that cannot be told from the original by anybody, for one).

Changes that are done are lines of a file below `build/`, so a proof that was stopped goes on where
it was; a line counts only for the same text of its module.
"""

import argparse
import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random

from rich.console import Console
from rich.progress import Progress

from tests.benchmarks.reporting import ROOT, record

CORE = ROOT / "layers" / "core" / "python"
DOMAIN = CORE / "xylem" / "domain"
KEPT = ROOT / "build" / "proof-mutation.jsonl"
REASONS = Path(__file__).with_name("survivors.toml")
AT_LEAST = 0.95

TESTS = ("pytest", "-x", "-q", "-p", "no:cacheprovider")
SUITES: tuple[tuple[str, ...], ...] = (
    (*TESTS, "tests/unit/domain", "tests/unit/docs"),
    ("tests.simulation", "--runs", "300", "--seed", "1", "--jobs", "1", "--no-shrink"),
    (*TESTS, "tests/unit/usecases", "tests/stories", "--ignore=tests/stories/test_writes.py"),
)
"""The cheapest first. The last two minutes are spent on what neither of the others noticed; what
it leaves out counts the writes of 10,000 tasks, which takes longer than all of these."""

PATIENCE_SECONDS = 300
"""A change that makes something wait for ever is noticed, too."""

NEIGHBOURS: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True, slots=True)
class Change:
    """`module` by its file name; `now` is what stands instead of `was`; both in one line."""

    module: str
    line: int
    kind: str
    was: str
    now: str
    text: str
    """Of the whole module, changed."""

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.module}\0{self.text}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Verdict:
    key: str
    module: str
    line: int
    kind: str
    was: str
    now: str
    noticed_by: str | None


def changes(path: Path) -> Iterator[Change]:
    """Of one module, in the order of its lines."""
    source = path.read_text()
    tree = ast.parse(source)
    found = sorted(_places(tree), key=lambda place: (place[0].lineno, place[0].col_offset))
    seen = set()
    for node, kind, now in found:
        was = ast.get_source_segment(source, node) or ""
        change = Change(
            path.name, node.lineno, kind, _short(was), _short(now), _replaced(source, node, now)
        )
        if change.text != source and change.key not in seen:
            seen.add(change.key)
            yield change


Place = tuple[ast.expr, str, str]


def _places(tree: ast.Module) -> Iterator[Place]:
    for node in ast.walk(tree):
        for guard in _guards(node):
            yield guard, "guard", "True"
            yield guard, "guard", "False"
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            other = NEIGHBOURS.get(type(node.ops[0]))
            if other is not None:
                turned = ast.Compare(node.left, [other()], node.comparators)
                yield node, "comparison", ast.unparse(turned)
    for statement in tree.body:
        value = getattr(statement, "value", None)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and value is not None:
            yield from _rows(value)


def _guards(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            if not (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"):
                yield test
        case ast.comprehension(ifs=ifs):
            yield from ifs
        case ast.match_case(guard=guard) if guard is not None:
            yield guard
        case ast.BoolOp(values=values):
            yield from values


def _rows(table: ast.expr) -> Iterator[Place]:
    """Without each of its elements, and within these."""
    for node in ast.walk(table):
        match node:
            case ast.Tuple(elts=rows) | ast.List(elts=rows) | ast.Set(elts=rows) if len(rows) > 1:
                for at in range(len(rows)):
                    left = type(node)(elts=[*rows[:at], *rows[at + 1 :]])
                    yield node, "row", ast.unparse(left)
            case ast.Dict(keys=keys, values=values) if len(keys) > 1:
                for at in range(len(keys)):
                    rest = ast.Dict(
                        [*keys[:at], *keys[at + 1 :]], [*values[:at], *values[at + 1 :]]
                    )
                    yield node, "row", ast.unparse(rest)


def _replaced(source: str, node: ast.expr, now: str) -> str:
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None and node.end_col_offset is not None
    begin = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    raw = source.encode()
    return (raw[:begin] + f"({now})".encode() + raw[end:]).decode()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:97]}..."


# Running ----------------------------------------------------------------------------------------


class Copy:
    """Of `layers/core`, which stands before the real one where Python looks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copytree(CORE, folder, ignore=shutil.ignore_patterns("__pycache__"))

    def judge(self, change: Change, suites: Sequence[Sequence[str]]) -> Verdict:
        target = self._folder / "xylem" / "domain" / change.module
        whole = target.read_text()
        target.write_text(change.text)
        try:
            noticed = next((self._name(suite) for suite in suites if not self._passes(suite)), None)
        finally:
            target.write_text(whole)
        return Verdict(
            change.key, change.module, change.line, change.kind, change.was, change.now, noticed
        )

    def _passes(self, suite: Sequence[str]) -> bool:
        environment = {
            **os.environ,
            "PYTHONPATH": str(self._folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            ended = subprocess.run(
                [sys.executable, "-m", *suite],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return ended.returncode == 0

    @staticmethod
    def _name(suite: Sequence[str]) -> str:
        return " ".join(word for word in suite if word.startswith("tests"))


def kept(path: Path) -> dict[str, Verdict]:
    done = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            verdict = Verdict(**json.loads(line))
        except (ValueError, TypeError):
            continue  # it was cut off
        done[verdict.key] = verdict
    return done


def reasons(path: Path = REASONS) -> dict[tuple[str, str, str], str]:
    """By module, what was there and what stood instead."""
    told = tomllib.loads(path.read_text())["survivor"] if path.exists() else []
    return {(one["module"], one["was"], one["now"]): one["reason"] for one in told}


def summary(
    verdicts: Sequence[Verdict], known: Mapping[tuple[str, str, str], str]
) -> dict[str, object]:
    alive = [one for one in verdicts if one.noticed_by is None]
    by_module = {
        module: {
            "changes": len(mine := [one for one in verdicts if one.module == module]),
            "noticed": sum(one.noticed_by is not None for one in mine),
        }
        for module in sorted({one.module for one in verdicts})
    }
    return {
        "changes": len(verdicts),
        "noticed": len(verdicts) - len(alive),
        "share": round(1 - len(alive) / len(verdicts), 4) if verdicts else None,
        "at_least": AT_LEAST,
        "by_module": by_module,
        "survivors": [
            {
                **{name: value for name, value in asdict(one).items() if name != "noticed_by"},
                "reason": known.get((one.module, one.was, one.now), ""),
            }
            for one in alive
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--module", action="append", help="of domain/, such as retries; else all")
    parser.add_argument("--sample", type=int, help="so many of the changes, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="keep the result in docs/")
    given = parser.parse_args(arguments)
    modules = given.module or sorted(path.stem for path in DOMAIN.glob("[a-z]*.py"))
    wanted = [change for module in modules for change in changes(DOMAIN / f"{module}.py")]
    if given.sample is not None:
        wanted = Random(given.seed).sample(wanted, min(given.sample, len(wanted)))
    verdicts = judged(wanted, given.jobs, KEPT)
    result = summary(verdicts, reasons())
    print(json.dumps(result, indent=1))
    if given.record:
        record("mutation", result)
    share = result["share"]
    return 0 if isinstance(share, float) and share >= AT_LEAST else 1


def judged(
    wanted: Sequence[Change],
    jobs: int,
    path: Path,
    suites: Sequence[Sequence[str]] = SUITES,
) -> list[Verdict]:
    """In the order of `wanted`; those that are not kept are run and kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = kept(path)
    left = [change for change in wanted if change.key not in done]
    with (
        tempfile.TemporaryDirectory() as scratch,
        Progress(console=Console(stderr=True)) as progress,
        path.open("a") as file,
        ThreadPoolExecutor(jobs) as threads,
    ):
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            copies.put(Copy(Path(scratch) / f"{number}"))

        def judge(change: Change) -> Verdict:
            copy = copies.get()
            try:
                return copy.judge(change, suites)
            finally:
                copies.put(copy)

        bar = progress.add_task("changes", total=len(wanted), completed=len(wanted) - len(left))
        for verdict in threads.map(judge, left):
            done[verdict.key] = verdict
            file.write(json.dumps(asdict(verdict)) + "\n")
            file.flush()
            if verdict.noticed_by is None:
                told = f"{verdict.module}:{verdict.line}: {verdict.was} -> {verdict.now}"
                progress.console.print(f"nobody noticed {told}", highlight=False, markup=False)
            progress.advance(bar)
    return [done[change.key] for change in wanted]


if __name__ == "__main__":
    sys.exit(main())
