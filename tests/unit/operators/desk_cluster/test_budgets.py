from operators.desk_cluster.budgets import hindrance
from operators.desk_cluster.objects import Json
from tests.unit.operators.desk_cluster.builders import a_pod


def serving(name: str, *, ready: bool = True, phase: str = "Running") -> Json:
    pod = a_pod(name=name)
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        **pod,
        "metadata": {**pod["metadata"], "labels": {"app": "x"}},
        "status": {"phase": phase, "conditions": conditions},
    }


def a_budget(available: object, **labels: str) -> Json:
    spec = {"minAvailable": available, "selector": {"matchLabels": labels or {"app": "x"}}}
    return {"metadata": {"name": "budget"}, "spec": spec}


def test_the_last_that_a_budget_needs_is_not_evicted() -> None:
    one, two = serving("one"), serving("two")

    assert hindrance(one, [one], [a_budget(1)]) == "budget"
    assert hindrance(one, [one, two], [a_budget(1)]) == ""
    assert hindrance(one, [one, two], [a_budget(2)]) == "budget"


def test_who_serves_nobody_is_no_loss() -> None:
    for pod in (serving("one", ready=False), serving("one", phase="Succeeded")):
        assert hindrance(pod, [pod], [a_budget(1)]) == ""


def test_a_budget_of_others_stands_in_nobodys_way() -> None:
    one = serving("one")

    assert hindrance(one, [one], [a_budget(1, app="y")]) == ""
    assert hindrance(one, [one], [a_budget("50%")]) == ""
