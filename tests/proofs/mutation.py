"""Every guard and every row of a table in `domain/`, changed one at a time: `make prove-mutation`.

A test suite that passes says little; one that fails for each change of what it tests says that
nothing is there unasked. A change is

* a guard (of an `if`, a conditional, a comprehension, a `case`, an operand of `and` and `or`) that
  always holds, or never;
* a comparison turned into its neighbour (`<` into `<=`, `==` into `!=`, `in` into `not in`);
* a row taken out of a table: an element of a tuple, list, set or dictionary of a module.

Each is tried (`trial`) by the tests that execute it: first those of the domain; while nobody
notices, the other unit tests, and at last schedules of the simulation. What nobody notices has
survived: it is listed with its line, and with the reason that `survivors.toml` gives for it where
there is one (a change that cannot be told from the original by anybody, for one).

What each test executes is learnt once for the text of all modules and tests. Changes that were
noticed are lines of a file below `build/`, so a proof that was stopped goes on where it was; a line
counts only for the same text of its module. What survived is tried again each time: there may be a
test for it now.
"""

import argparse
import ast
import hashlib
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from random import Random
from typing import cast

from rich.console import Console
from rich.progress import Progress

from tests.benchmarks.reporting import ROOT, record
from tests.proofs.trial import NEVER, Bench, Function, Recording, Told, Trial, in_a_process

CORE = ROOT / "layers" / "core" / "python"
DOMAIN = CORE / "xylem" / "domain"
KEPT = ROOT / "build" / "proof-mutation"
REASONS = Path(__file__).with_name("survivors.toml")
AT_LEAST = 0.97

ROUNDS: Mapping[str, tuple[str, ...]] = {
    "domain": ("tests/unit/domain", "tests/unit/docs"),
    "others": (
        "tests/unit/clients/cli",
        "tests/unit/clients/sdk",
        "tests/unit/functions",
        "tests/unit/manifests",
        "tests/unit/operators/backend_listener",
        "tests/unit/operators/backend_worker",
        "tests/unit/protocol",
        "tests/unit/spec",
        "tests/unit/usecases",
        "tests/unit/xylem_aws",
    ),
    "simulation": ("tests/simulation/test_schedules.py", "tests/simulation/test_exhaust.py"),
}
"""The unit tests that have to do with the domain, and the simulation; the cheapest first."""

PATIENCE_SECONDS = 3600
"""A change that makes something wait for ever is noticed, too. What works for ever ends sooner."""

Rounds = Sequence[Mapping[str, Told]]

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
    """`module` by its file name; `where`: the function, empty for what a module does when it is
    imported; `now` is what stands instead of `was`, both in one line; `text`: of the whole module,
    changed."""

    module: str
    where: str
    line: int
    last_line: int
    kind: str
    was: str
    now: str
    text: str

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.module}\0{self.text}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Verdict:
    key: str
    module: str
    where: str
    line: int
    kind: str
    was: str
    now: str
    noticed_by: str | None


# The changes -------------------------------------------------------------------------------------


def changes(path: Path) -> Iterator[Change]:
    """Of one module, in the order of its lines."""
    source = path.read_text()
    tree = ast.parse(source)
    functions = list(_functions(tree.body))
    found = sorted(_places(tree), key=lambda place: (place[0].lineno, place[0].col_offset))
    seen = set()
    for node, kind, now in found:
        was = ast.get_source_segment(source, node) or ""
        change = Change(
            path.name,
            next((name for lines, name in functions if node.lineno in lines), ""),
            node.lineno,
            node.end_lineno or node.lineno,
            kind,
            _short(was),
            _short(now),
            _replaced(source, node, now),
        )
        if change.text != source and change.key not in seen:
            seen.add(change.key)
            yield change


def _functions(body: Sequence[ast.stmt], around: str = "") -> Iterator[tuple[range, str]]:
    """The lines of each, and its name with that of its class."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name):
                yield range(node.lineno, (node.end_lineno or 0) + 1), f"{around}{name}"
            case ast.ClassDef(name=name):
                yield from _functions(node.body, f"{around}{name}.")
            case ast.If():
                yield from _functions([*node.body, *node.orelse], around)


Place = tuple[ast.expr, str, str]


def _places(tree: ast.Module) -> Iterator[Place]:
    for node in ast.walk(tree):
        for guard in _guards(node):
            yield guard, "guard", "True"
            yield guard, "guard", "False"
        if isinstance(node, ast.Compare):
            for at, operator in enumerate(node.ops):
                other = NEIGHBOURS[type(operator)]()
                turned = [*node.ops[:at], other, *node.ops[at + 1 :]]
                now = ast.unparse(ast.Compare(node.left, turned, node.comparators))
                yield node, "comparison", now
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
    """Without each of its elements, and within these. What is in brackets is a type."""
    if isinstance(table, ast.Subscript):
        return
    match table:
        case ast.Tuple(elts=rows) | ast.List(elts=rows) | ast.Set(elts=rows) if len(rows) > 1:
            for at in range(len(rows)):
                yield table, "row", ast.unparse(type(table)(elts=[*rows[:at], *rows[at + 1 :]]))
        case ast.Dict(keys=keys, values=values) if len(keys) > 1:
            for at in range(len(keys)):
                rest = ast.Dict([*keys[:at], *keys[at + 1 :]], [*values[:at], *values[at + 1 :]])
                yield table, "row", ast.unparse(rest)
    for part in ast.iter_child_nodes(table):
        yield from _rows(cast("ast.expr", part))


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


# Trying them -------------------------------------------------------------------------------------


def learnt(folder: Path = KEPT) -> Rounds:
    """Of each round, what its tests execute."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_learnt(folder / f"{name}.json", places) for name, places in ROUNDS.items()]


def _learnt(path: Path, places: tuple[str, ...]) -> dict[str, Told]:
    digest = _digest(CORE, *(ROOT / place for place in places))
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("of") != digest:
        told, failed = in_a_process(Recording(str(DOMAIN), places), PATIENCE_SECONDS)
        for test in failed:
            print(f"left out, it fails without any change: {test}", file=sys.stderr)
            told.pop(test, None)
        kept = {"of": digest, "tests": {test: asdict(one) for test, one in told.items()}}
        path.write_text(json.dumps(kept))
    return {test: Told(**one) for test, one in kept["tests"].items()}


def _digest(*places: Path) -> str:
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else (place,):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def judge(change: Change, rounds: Rounds, bench: Bench) -> Verdict:
    name = f"xylem.domain.{change.module.removesuffix('.py')}"
    chosen = tuple(_chosen(change, told) for told in rounds)
    noticed = None
    if change.where:
        function = Function(name, change.where, change.text)
        noticed = bench.failed(function, list(chain.from_iterable(chosen)))
        chosen = chosen[:1]  # what was hidden on the bench shows in the domain's own tests
    if noticed is None:
        [noticed] = in_a_process(Trial(name, change.text, chosen), PATIENCE_SECONDS) or [NEVER]
    return Verdict(
        change.key,
        change.module,
        change.where,
        change.line,
        change.kind,
        change.was,
        change.now,
        noticed,
    )


def _chosen(change: Change, told: Mapping[str, Told]) -> tuple[str, ...]:
    """Those that execute the lines, the quickest first. What a module does when it is imported may
    show anywhere, first of all in who uses the module."""
    lines = range(change.line, change.last_line + 1) if change.where else None
    executing = {test for test, one in told.items() if one.executes(change.module, lines)}
    chosen = executing if change.where else told
    return tuple(sorted(chosen, key=lambda test: (test not in executing, told[test].seconds)))


def kept(path: Path) -> dict[str, Verdict]:
    done = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            verdict = Verdict(**json.loads(line))
        except (ValueError, TypeError):
            continue  # it was cut off
        if verdict.noticed_by is not None:
            done[verdict.key] = verdict
    return done


def judged(wanted: Sequence[Change], rounds: Rounds, jobs: int, path: Path) -> list[Verdict]:
    """In the order of `wanted`; those that are not kept are tried and kept."""
    done = kept(path)
    left = [change for change in wanted if change.key not in done]
    places = sorted({test.partition("::")[0] for told in rounds for test in told})
    with (
        Progress(console=Console(stderr=True)) as progress,
        path.open("a") as file,
        ThreadPoolExecutor(jobs) as threads,
        ExitStack() as stack,
    ):
        benches: SimpleQueue[Bench] = SimpleQueue()
        for _ in range(min(jobs, len(left))):
            benches.put(stack.enter_context(closing(Bench(places))))

        def tried(change: Change) -> Verdict:
            bench = benches.get()
            try:
                return judge(change, rounds, bench)
            finally:
                benches.put(bench)

        bar = progress.add_task("changes", total=len(wanted), completed=len(wanted) - len(left))
        for trial in as_completed([threads.submit(tried, change) for change in left]):
            verdict = trial.result()
            done[verdict.key] = verdict
            file.write(json.dumps(asdict(verdict)) + "\n")
            file.flush()
            if verdict.noticed_by is None:
                told = f"{verdict.module}:{verdict.line}: {verdict.was} -> {verdict.now}"
                progress.console.print(f"nobody noticed {told}", highlight=False, markup=False)
            progress.advance(bar)
    return [done[change.key] for change in wanted]


# What came of it ---------------------------------------------------------------------------------

Known = Mapping[tuple[str, str, str, str], str]
"""Reasons by module, function, what was there and what stood instead."""


def reasons(path: Path = REASONS) -> Known:
    told = tomllib.loads(path.read_text()).get("survivor", []) if path.exists() else []
    return {(one["module"], one["where"], one["was"], one["now"]): one["reason"] for one in told}


def summary(verdicts: Sequence[Verdict], known: Known) -> dict[str, object]:
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
                "reason": known.get((one.module, one.where, one.was, one.now), ""),
            }
            for one in alive
        ],
    }


def main(arguments: Sequence[str] | None = None, folder: Path = KEPT) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--module", action="append", help="of domain/, such as retries; else all")
    parser.add_argument("--sample", type=int, help="so many of the changes, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="keep the result in docs/")
    given = parser.parse_args(arguments)
    modules = given.module or sorted(path.stem for path in DOMAIN.glob("[a-z]*.py"))
    wanted = list(chain.from_iterable(changes(DOMAIN / f"{module}.py") for module in modules))
    if given.sample is not None:
        wanted = Random(given.seed).sample(wanted, min(given.sample, len(wanted)))
    verdicts = judged(wanted, learnt(folder), given.jobs, folder / "verdicts.jsonl")
    result = summary(verdicts, reasons())
    print(json.dumps(result, indent=1))
    if given.record:
        record("mutation", result)
    share = result["share"]
    return 0 if isinstance(share, float) and share >= AT_LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
