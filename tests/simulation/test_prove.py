"""The proof in small: its shards, that it goes on where it was, and what it says at its end."""

import json
from pathlib import Path

import pytest

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
