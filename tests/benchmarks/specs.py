"""How long it takes to validate a spec and to expand it into its plan.

`make bench` reads specs of 100 and of 10,000 tasks, written out and made by a loop of a template:
from the text of the submission to the plan, all that a submission checks without a pool. The best
of some runs counts, because everything else on the machine can only add to it; the CPU's own time
stands beside it. Parsing, models, references, circles and the template's child are all in it.
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from rich.progress import track
from rich.table import Table

from tests.benchmarks.reporting import options, progress_console, report
from xylem import spec

AT_MOST_SECONDS: Mapping[int, float] = {100: 0.02, 10_000: 2.0}
RUNS: Mapping[int, int] = {100: 50, 10_000: 5}

TEMPLATE = """\
workflow:
  name: wide
  tasks:
{% for n in range(tasks) %}
  - name: t{{ n }}
    image: ubuntu:22.04
    command: [sh, -ec]
    args: ["echo {{ n }} > {{output}}/number"]
{% if n %}
    inputs:
    - task: t{{ (n - 1) // 2 }}
{% endif %}
{% endfor %}
default-values:
  tasks: 1
"""


def main(arguments: Sequence[str] | None = None) -> int:
    given = options(__doc__).parse_args(arguments)
    result = {
        f"{tasks} tasks, {form}": measure(make(tasks), tasks)
        for tasks in AT_MOST_SECONDS
        for form, make in (("written out", written_out), ("from a template", from_template))
    }
    report("specs", {"specs": result}, [table(result)], given)
    return 0


def written_out(tasks: int) -> Callable[[], int]:
    """A tree in which each task reads from the one above it, with a script of its own."""
    script = "set -eu\necho reading {{input:0}}\nwc -c {{input:0}}/* > {{output}}/size\n"
    entries = [
        {
            "name": f"t{n}",
            "image": "ubuntu:22.04",
            "command": ["sh", "/tmp/run.sh"],
            "environment": {"NUMBER": str(n)},
            "files": [{"path": "/tmp/run.sh", "contents": script if n else "true\n"}],
            **({"inputs": [{"task": f"t{(n - 1) // 2}"}]} if n else {}),
        }
        for n in range(tasks)
    ]
    text = yaml.safe_dump({"workflow": {"name": "wide", "tasks": entries}}, sort_keys=False)
    return lambda: len(spec.parse(spec.render(text)).groups)


def from_template(tasks: int) -> Callable[[], int]:
    return lambda: len(spec.parse(spec.render(TEMPLATE, set_variables=[f"tasks={tasks}"])).groups)


def measure(read: Callable[[], int], tasks: int) -> dict[str, Any]:
    seconds, cpu = [], []
    for _ in track(range(RUNS[tasks]), f"{tasks} tasks", console=progress_console):
        begun, used = time.perf_counter(), cpu_seconds()
        groups = read()
        cpu.append(cpu_seconds() - used)
        seconds.append(time.perf_counter() - begun)
        if groups != tasks:
            raise RuntimeError(f"of {tasks} tasks, {groups} were planned")
    return summary(seconds, cpu, AT_MOST_SECONDS[tasks])


def cpu_seconds() -> float:
    """So far, of this process and of the children in which templates were rendered."""
    both = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def summary(seconds: Sequence[float], cpu: Sequence[float], limit: float) -> dict[str, Any]:
    return {
        "best": round(min(seconds), 4),
        "median": round(statistics.median(seconds), 4),
        "cpu": round(min(cpu), 4),
        "at_most": limit,
        "held": min(seconds) <= limit,
    }


def table(result: Mapping[str, Mapping[str, Any]]) -> Table:
    shown = Table(title="Validating and expanding a spec")
    shown.add_column("spec")
    for column in ("best ms", "median ms", "CPU ms", "at most ms"):
        shown.add_column(column, justify="right")
    shown.add_column("")
    for name, figures in result.items():
        milliseconds = (figures[key] * 1000 for key in ("best", "median", "cpu", "at_most"))
        held = "held" if figures["held"] else "MISSED"
        shown.add_row(name, *(f"{each:.1f}" for each in milliseconds), held)
    return shown


if __name__ == "__main__":
    sys.exit(main())
