"""The chart: what Helm makes of it is what Kubernetes takes, and what the operator understands."""

import base64
import re
from collections.abc import Iterator
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from helm_python import HelmError

from operators.shared.resources import KINDS
from operators.shared.settings import TEST_ACCOUNT, settings
from tests.builders_chart import (
    CHART,
    JOINED,
    NAMESPACE,
    RELEASE,
    TOKEN,
    files,
    grants,
    of_kind,
    rendered,
    the,
)
from xylem.manifests.scheduling import PRIORITY_CLASSES

KUBERNETES = ("1.30", kubernetes_validate.latest_version())
"""The oldest whose scheduling gates are stable, and the newest whose schemas are known."""

RIGHTS = ("volumeClaims", "kai", "volcano", "backendTests", "sessions")
EVERYTHING: dict[str, Any] = {
    "rbac": dict.fromkeys(RIGHTS, True),
    "imagePullSecrets": [{"name": "pull"}],
    "serviceAccount": {"name": "given", "annotations": {"a": "b"}},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy"}],
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "platform"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "networkPolicy": {
        "dns": {"cidrs": ["169.254.20.10/32"]},
        "extraEgress": [{"ports": [{"port": 3128}]}],
    },
}


def pod() -> Any:
    return the("Deployment")["spec"]["template"]["spec"]


def operator(**values: Any) -> Any:
    [container] = the("Deployment", **values)["spec"]["template"]["spec"]["containers"]
    return container


def test_helm_finds_nothing_to_complain_of() -> None:
    found = helm_python.lint(CHART, dict(JOINED), strict=True, namespace=NAMESPACE)

    assert [one["error"] for one in found["messages"]] == ["icon is recommended"]
    assert found["errors"] == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["as it is", "with everything"])
def test_kubernetes_knows_every_field_of_every_object(version: str, values: dict[str, Any]) -> None:
    for found in rendered(**values):
        kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"backend": ""}, "Set backend to the name of this cluster"),
        ({"url": ""}, "Set url to the service's WebSocket URL"),
        ({"url": "http://plain"}, "url"),
        ({"credential": {}}, "Set either credential.token or credential.existingSecret"),
        ({"credential": {"token": "t", "existingSecret": "s"}}, "Set either credential.token"),
        ({"tasks": {"namespace": NAMESPACE}}, "Set tasks.namespace to another namespace"),
        ({"tasks": {"podSecurity": "restricted"}}, "podSecurity"),
        ({"replicaCount": 3}, "replicaCount"),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_installed(
    values: dict[str, Any], says: str
) -> None:
    with pytest.raises(HelmError, match=re.escape(says)):
        files({**JOINED, **values})


def test_every_value_says_what_it_is_for_and_has_a_form() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    sections = [at for at, line in enumerate(lines) if re.match(r"\w+:", line)]
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())

    alone = {"podAnnotations", "podLabels", "nodeSelector", "tolerations", "affinity"}
    for at in sections:
        name = lines[at].partition(":")[0]
        commented = lines[at - 1].startswith("#") or (lines[at + 1 :] or [""])[0].startswith("  #")
        assert commented or name in alone, f"{name} has no comment"
    values = yaml.safe_load("\n".join(lines))
    assert set(schema["properties"]) - {"global"} == set(values)


# The credential ---------------------------------------------------------------------------------


def test_the_credential_is_in_one_secret_and_nowhere_else() -> None:
    shown = {name for name, text in files().items() if TOKEN in text or _encoded(TOKEN) in text}

    assert shown == {f"{RELEASE}/templates/secret.yaml"}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_secret_of_ones_own_is_taken_as_it_is() -> None:
    objects = rendered(credential={"existingSecret": "mine", "key": "password"})

    [deployment] = of_kind("Deployment", objects)
    spec = deployment["spec"]["template"]["spec"]
    assert of_kind("Secret", objects) == []
    assert spec["volumes"][0]["secret"]["secretName"] == "mine"
    [container] = spec["containers"]
    file = {one["name"]: one.get("value") for one in container["env"]}["XYLEM_TOKEN_FILE"]
    assert file == "/run/secrets/xylem/password"
    assert all("subPath" not in mount for mount in container["volumeMounts"])


# The pods ---------------------------------------------------------------------------------------


def test_the_operator_understands_what_its_pod_is_told(tmp_path: Any) -> None:
    env = {one["name"]: one.get("value", "10.0.0.7") for one in operator()["env"]}
    (tmp_path / "token").write_text(TOKEN)
    health = env["XYLEM_HEALTH"].replace("$(POD_IP)", env["POD_IP"])

    told = settings({**env, "XYLEM_HEALTH": health, "XYLEM_TOKEN_FILE": str(tmp_path / "token")})

    assert (told.url, told.backend) == (JOINED["url"], JOINED["backend"])
    assert told.namespace == "xylem-tasks"
    assert told.health == ("10.0.0.7", operator()["ports"][0]["containerPort"])
    assert told.kubeconfig is None
    assert told.token() == TOKEN


def test_two_operators_have_two_names_and_stand_on_two_nodes() -> None:
    deployment = the("Deployment")
    [name] = [one for one in operator()["env"] if one["name"] == "POD_NAME"]
    keys = [one["topologyKey"] for one in pod()["topologySpreadConstraints"]]

    assert deployment["spec"]["replicas"] == 2
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert the("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_its_pod_may_nothing_that_it_does_not_need() -> None:
    container = operator()

    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    assert the("ServiceAccount")["automountServiceAccountToken"] is False


def test_the_kubelet_asks_the_paths_that_there_are() -> None:
    container = operator()

    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}


def test_selectors_find_the_pods_of_the_release() -> None:
    objects = rendered(**EVERYTHING)
    [deployment] = of_kind("Deployment", objects)
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()

    for selector in (
        deployment["spec"]["selector"]["matchLabels"],
        of_kind("PodDisruptionBudget", objects)[0]["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy", objects)[0]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= labels


# The network ------------------------------------------------------------------------------------


def test_nothing_comes_in_and_names_the_api_server_and_the_service_alone_go_out() -> None:
    spec = the("NetworkPolicy")["spec"]

    assert set(spec["policyTypes"]) == {"Ingress", "Egress"}
    assert spec["ingress"] == []
    assert set(_ports(spec)) == {("UDP", 53), ("TCP", 53), ("TCP", 443), ("TCP", 6443)}
    for rule in spec["egress"]:
        assert rule["to"], "a rule without `to` means everywhere"


def test_who_scrapes_reaches_the_metrics_and_nothing_else() -> None:
    scraper = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    documents = rendered(networkPolicy={"metricsFrom": [scraper]})
    [policy] = [one for one in documents if one["kind"] == "NetworkPolicy"]

    assert policy["spec"]["ingress"] == [
        {"from": [scraper], "ports": [{"protocol": "TCP", "port": "health"}]}
    ]


def _ports(spec: Any) -> Iterator[tuple[str, int]]:
    for rule in spec["egress"]:
        for port in rule["ports"]:
            yield port["protocol"], port["port"]


# Rights -----------------------------------------------------------------------------------------

RUNNER = "-backend-test"


def of_the_operator(objects: list[Any]) -> list[Any]:
    return [one for one in objects if not one["metadata"]["name"].endswith(RUNNER)]


def test_a_test_of_nodes_has_an_account_of_its_own_that_makes_daemon_sets_and_marks_nodes() -> None:
    objects = rendered(rbac={"backendTests": True})
    runners = [one for one in objects if one["metadata"]["name"].endswith(RUNNER)]
    [account] = of_kind("ServiceAccount", runners)

    assert account["metadata"]["name"] == TEST_ACCOUNT
    for binding in of_kind("RoleBinding", runners) + of_kind("ClusterRoleBinding", runners):
        [subject] = binding["subjects"]
        assert (subject["name"], subject["namespace"]) == (TEST_ACCOUNT, "xylem-tasks")
        assert binding["roleRef"]["name"].endswith(RUNNER)
    assert {(group, resource, verb) for _, group, resource, _, verb in grants(runners)} == {
        ("apps", "daemonsets", "create"),
        ("apps", "daemonsets", "get"),
        ("apps", "daemonsets", "delete"),
        ("", "pods", "list"),
        ("", "nodes", "get"),
        ("", "nodes", "list"),
        ("", "nodes/status", "patch"),
    }
    environment = {
        one["name"]: one.get("value") for one in operator(rbac={"backendTests": True})["env"]
    }
    assert environment["XYLEM_TEST_IMAGE"] == operator()["image"]
    assert "XYLEM_TEST_IMAGE" not in {one["name"] for one in operator()["env"]}


def test_no_role_has_a_wildcard_or_reads_a_secret() -> None:
    for namespace, group, resource, _, verb in grants(rendered(**EVERYTHING)):
        assert "*" not in (group, resource, verb)
        if resource == "secrets":
            assert verb in {"create", "delete"}
            assert namespace == "xylem-tasks"


def test_what_is_granted_for_the_whole_cluster_changes_queues_of_gangs_alone() -> None:
    wide = {grant for grant in grants(of_the_operator(rendered(**EVERYTHING))) if not grant[0]}
    changing = {one for one in wide if one[4] not in {"get", "list", "watch"}}

    assert {(group, resource) for _, group, resource, _, _ in changing} == {
        ("scheduling.run.ai", "queues"),
        ("scheduling.volcano.sh", "queues"),
    }
    assert {verb for *_, verb in changing} == {"create", "update"}
    assert ("", "", "namespaces", "kube-system", "get") in wide
    assert {resource for _, _, resource, _, _ in wide - changing} == {
        "namespaces",
        "nodes",
        "pods",
        "queues",
    }


@pytest.mark.parametrize(
    ("value", "resources"),
    [
        ("volumeClaims", {"/persistentvolumeclaims"}),
        ("kai", {"scheduling.run.ai/podgroups", "scheduling.run.ai/queues"}),
        ("volcano", {"scheduling.volcano.sh/podgroups", "scheduling.volcano.sh/queues"}),
        ("backendTests", {"batch/cronjobs"}),
        ("sessions", {"/pods/exec", "/pods/portforward"}),
    ],
)
def test_a_right_that_not_every_cluster_needs_comes_with_its_value(
    value: str, resources: set[str]
) -> None:
    more = grants(of_the_operator(rendered(rbac={value: True}))) - grants(rendered())

    assert {f"{group}/{resource}" for _, group, resource, _, _ in more} == resources
    assert {namespace for namespace, _, what, *_ in more if what != "queues"} == {"xylem-tasks"}


def test_what_group_templates_make_is_allowed_by_rules_of_ones_own() -> None:
    rule = {
        "apiGroups": ["resource.nvidia.com"],
        "resources": ["computedomains"],
        "verbs": ["create", "get", "update", "delete"],
    }

    more = grants(of_the_operator(rendered(rbac={"extraRules": [rule]}))) - grants(rendered())

    assert {(space, what, verb) for space, _, what, _, verb in more} == {
        ("xylem-tasks", "computedomains", verb) for verb in rule["verbs"]
    }


def test_without_node_facts_the_cluster_tells_its_name_alone() -> None:
    without = grants(rendered(rbac={"nodeFacts": False}))

    assert {grant for grant in without if not grant[0]} == {
        ("", "", "namespaces", "kube-system", "get")
    }


def test_whatever_a_group_may_consist_of_may_be_made_and_deleted() -> None:
    given = grants(rendered(rbac=dict.fromkeys(RIGHTS, True)))

    for kind in KINDS.values():
        group = kind.api_version.rpartition("/")[0]
        for verb in ("create", "delete"):
            assert ("xylem-tasks", group, kind.plural, "*", verb) in given


def test_each_role_is_bound_to_the_account_of_the_pods() -> None:
    objects = rendered(serviceAccount={"name": "given"})
    [deployment] = of_kind("Deployment", objects)
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]

    for binding, role in (("RoleBinding", "Role"), ("ClusterRoleBinding", "ClusterRole")):
        [bound], [given] = of_kind(binding, objects), of_kind(role, objects)
        assert bound["roleRef"]["name"] == given["metadata"]["name"]
        assert bound["metadata"].get("namespace") == given["metadata"].get("namespace")
        assert bound["subjects"] == [
            {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
        ]
    assert of_kind("ServiceAccount", objects)[0]["metadata"]["name"] == account


# The classes and the namespace of tasks ----------------------------------------------------------


def test_there_is_a_class_for_each_priority_that_pods_name() -> None:
    made = {one["metadata"]["name"]: one["value"] for one in of_kind("PriorityClass", rendered())}
    own = pod()["priorityClassName"]

    assert set(made) == {*PRIORITY_CLASSES.values(), own}
    assert made["osmo-high"] > made["osmo-normal"] >= 100 > made["osmo-low"]
    assert made[own] > made["osmo-high"]


def test_the_namespace_of_tasks_takes_their_pods_and_outlives_the_release() -> None:
    namespace = the("Namespace")["metadata"]

    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert namespace["annotations"]["helm.sh/resource-policy"] == "keep"
    assert of_kind("Namespace", rendered(tasks={"createNamespace": False})) == []
