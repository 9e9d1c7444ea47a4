"""What a task's container may not do."""

from typing import Any

from tests.builders_spec import a_plan, a_planned_task, facts_of
from xylem.domain.pool import PodScheduling
from xylem.manifests import render
from xylem.manifests.security import DROPPED


def context(*, privileged: bool = False, template: Any = None) -> dict[str, Any]:
    """Of the task's container, with this securityContext in the platform's template."""
    said = {} if template is None else {"securityContext": template}
    platform = PodScheduling(
        template={"spec": {"containers": [{"name": "{{USER_CONTAINER_NAME}}", **said}]}}
    )
    plan = a_plan(a_planned_task(privileged=privileged))
    facts = facts_of(plan, scheduling={"p": platform}, default_platform="p")
    found: dict[str, Any] = render(plan, facts)[-1]["spec"]["containers"][0]["securityContext"]
    return found


def test_root_keeps_what_installs_packages_and_loses_what_reaches_beyond_the_container() -> None:
    assert context() == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["MKNOD", "NET_RAW", "SETFCAP", "SETPCAP"]},
    }


def test_a_privileged_task_is_what_it_asked_to_be() -> None:
    assert context(privileged=True) == {"privileged": True}


def test_an_admins_word_on_capabilities_is_all_of_it() -> None:
    added = {"capabilities": {"add": ["SYS_PTRACE"]}}

    assert context(template=added) == {"allowPrivilegeEscalation": False, **added}


def test_an_admin_may_be_stricter() -> None:
    strict = {"runAsNonRoot": True, "readOnlyRootFilesystem": True}

    assert context(template=strict) == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": list(DROPPED)},
        **strict,
    }


def test_what_kubernetes_refuses_together_is_not_said_together() -> None:
    admin = {"capabilities": {"add": ["SYS_ADMIN"]}}

    assert context(template=admin) == admin


def test_a_pods_system_calls_are_filtered_and_it_has_no_account() -> None:
    plan = a_plan()
    spec = render(plan, facts_of(plan))[-1]["spec"]

    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["automountServiceAccountToken"] is False


def test_the_runtimes_own_containers_drop_everything() -> None:
    plan = a_plan()
    spec = render(plan, facts_of(plan))[-1]["spec"]

    for container in (spec["initContainers"][0], spec["containers"][1]):
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
