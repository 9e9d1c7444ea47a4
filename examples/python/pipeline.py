"""Groups, functions and scripts in one graph: OSMO's complex pipeline.

    python -m examples.python.pipeline | xylem workflow submit - --follow

The two transformations start together; one is a function, the other a script in an image of its
own, and both read the files that the first task left.
"""

from pathlib import Path

from clients.workflows import OUTPUT, Workflow, group, shell, task


@task
def download(out: Path = OUTPUT) -> Path:
    fruits = out / "fruits.txt"
    fruits.write_text("apple\nbanana\ncherry\n")
    return fruits


@task
def uppercase(fruits: Path) -> str:
    return fruits.read_text().upper()


@task
def combine(upper: str, numbered: Path) -> str:
    combined = f"=== UPPERCASE ===\n{upper}\n=== NUMBERED ===\n{numbered.read_text()}"
    print(combined)
    return combined


def pipeline() -> Workflow:
    with Workflow("complex-pipeline") as workflow:
        fruits = download()
        with group("process"):
            upper = uppercase(fruits)
            lines = f"cat -n {fruits}/fruits.txt > {OUTPUT}/numbered.txt"
            numbered = shell("number", lines, image="ubuntu:24.04")
        combine(upper, numbered / "numbered.txt")
    return workflow


if __name__ == "__main__":
    print(pipeline().to_yaml())
