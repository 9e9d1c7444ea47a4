"""What the benchmarks make of their figures, and how a result is kept."""

import json
from pathlib import Path

from operators.backend_listener.observe import observe
from tests.benchmarks import cluster, cold_start, operator, specs, throughput
from tests.benchmarks.reporting import record
from tests.benchmarks.throughput import component_of
from tests.builders import NOON
from xylem.manifests.names import GROUP


def test_a_lambda_process_is_known_by_its_component() -> None:
    command = ["python", "-I", "-S", "lambda_bootstrap.py", "1"]

    assert component_of([*command, "functions.agent.ingest.handler", "/code"]) == "agent/ingest"
    assert component_of([*command, "functions.agent.handler.handler"]) == "agent"
    assert component_of(["python", "-m", "operators"]) == "starting"


def test_throughput_is_told_with_everybodys_share_of_the_cpu() -> None:
    result = throughput.summary(200, 50.0, {"functions: agent": 30.0, "pods": 10.0, "idle": 0.0})

    assert (result["per_second"], result["held"]) == (4.0, False)
    assert result["cpu_shares"] == {"functions: agent": 0.75, "pods": 0.25}
    assert result["processors_busy"] == 0.8
    assert throughput.table(result).row_count == 2


def test_a_cold_start_is_held_by_its_median() -> None:
    figures = cold_start.summary([0.1, 0.2, 0.9], limit=0.25)

    assert (figures["median"], figures["max"], figures["held"]) == (0.2, 0.9, True)
    assert cold_start.summary([0.3], limit=0.25)["held"] is False
    assert cold_start.table({"runs": 3, "seconds": {"router": figures}}).row_count == 1


def test_a_spec_is_held_by_its_best_run() -> None:
    figures = specs.summary([0.03, 0.019, 0.5], cpu=[0.02, 0.018, 0.03], limit=0.02)

    assert (figures["best"], figures["cpu"], figures["held"]) == (0.019, 0.018, True)
    assert specs.summary([0.03], cpu=[0.01], limit=0.02)["held"] is False
    assert specs.table({"100 tasks": figures}).row_count == 1


def test_specs_are_measured_whole_in_both_forms() -> None:
    assert specs.written_out(20)() == specs.from_template(20)() == 20


def a_part(seconds: float, cpu: float, mib: float) -> dict[str, float]:
    most = mib * 1024**2
    return {"seconds": seconds, "cpu": cpu, "most_bytes": most, "frames": 10, "sent_bytes": 2048}


def test_an_operator_is_held_by_its_memory_its_listing_and_its_rates() -> None:
    parts = {"listing": a_part(30, 18, 200), "running": a_part(5, 4, 250)}
    held = operator.summary(10_000, {**parts, "ending": a_part(12, 9, 255)})
    missed = operator.summary(10_000, {**parts, "ending": a_part(9, 11, 257)})

    assert {name: part["value"] for name, part in held["limits"].items()} == {
        "resident_mib": 255,
        "listing_cpu_per_1000": 1.8,
        "running_per_cpu_second": 2500,
        "ending_per_cpu_second": 1111.11,
    }
    assert all(part["held"] for part in held["limits"].values())
    assert [name for name, part in missed["limits"].items() if not part["held"]] == [
        "resident_mib",
        "ending_per_cpu_second",
    ]
    assert operator.table(held).row_count == 3


def test_the_pods_that_an_operator_is_measured_with_are_ours_and_as_large_as_real_ones() -> None:
    pods = cluster.Cluster(60)
    one = json.loads(pods.pod(59, "Succeeded", 7))

    seen = observe(one, NOON)

    assert seen is not None
    assert (seen.status, seen.uid, seen.node) == ("COMPLETED", "uid-59", "node-59")
    assert seen.group != json.loads(pods.pod(0))["metadata"]["annotations"][GROUP]
    assert 6_000 < len(json.dumps(one)) < 12_000


def test_a_recorded_result_has_its_commit_its_day_and_its_machine(tmp_path: Path) -> None:
    path = record("bill", {"total": 0.1}, tmp_path / "measurements")

    kept = json.loads(path.read_text())
    assert path.name == "bill.json"
    assert kept["result"] == {"total": 0.1}
    assert kept["commit"] and kept["measured_at"].endswith(" UTC") and kept["processors"] >= 1
