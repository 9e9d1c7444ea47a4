"""The proof in small: its shards, that it goes on where it was, and what it says at its end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.reporting import ROOT
from tests.proofs.simulated import PLACES, fingerprint
from tests.proofs.simulation import divided, kept, kept_in, main


def test_shards_cover_every_seed_once() -> None:
    shards = divided(5, 23, 4)

    assert [seed for one in shards for seed in range(one.first, one.until)] == list(range(5, 28))
    assert len(divided(1, 2, 10)) == 2


def test_a_proof_goes_on_where_it_was_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--runs", "12", "--shards", "3", "--seed", "7", "--jobs", "1"]
    assert main(told, folder=tmp_path) == 0
    whole = json.loads(capsys.readouterr().out)
    path = kept_in(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[1][:20])

    assert main(told, folder=tmp_path) == 0

    again = json.loads(capsys.readouterr().out)
    assert len(kept(path)) == 3
    assert (again["schedules"], again["violations"]) == (12, [])
    assert (again["events"], again["faults"]) == (whole["events"], whole["faults"])


def test_what_is_done_counts_for_the_code_that_it_was_done_on(tmp_path: Path) -> None:
    for name in ("machine", "adapter"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text("1")
    (tmp_path / "machine" / "page.md").write_text("1")
    known = fingerprint(["machine"], tmp_path)

    (tmp_path / "machine" / "page.md").write_text("2")
    (tmp_path / "adapter" / "code.py").write_text("2")
    assert fingerprint(["machine"], tmp_path) == known

    (tmp_path / "machine" / "code.py").write_text("2")
    assert fingerprint(["machine"], tmp_path) != known


def test_all_of_ours_that_a_schedule_imports_is_in_the_fingerprint() -> None:
    asked = (
        "import sys; from tests.simulation.world import simulate; simulate(1);"
        "print(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)))"
    )
    told = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True)

    ours = [
        Path(name).relative_to(ROOT) for name in told.stdout.split() if name.startswith(f"{ROOT}/")
    ]
    ours = [
        name for name in ours if not name.parts[0].startswith(".") and name.name != "__init__.py"
    ]
    assert ours
    assert [str(name) for name in ours if not str(name).startswith(PLACES)] == []
