"""Three tasks, each reading what those before it returned: OSMO's serial workflow.

python -m examples.python.serial | xylem workflow submit - --follow
"""

from clients.workflows import Workflow, task


@task
def say(name: str, *heard: str) -> str:
    for line in heard:
        print("a line:", line)
    return f"Data from {name}"


def serial() -> Workflow:
    with Workflow("serial-tasks") as workflow:
        first = say("task 1")
        second = say("task 2", first)
        say("task 3", first, second)
    return workflow


if __name__ == "__main__":
    print(serial().to_yaml())
