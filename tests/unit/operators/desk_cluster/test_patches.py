"""The patches that clients send: RFC 6902, RFC 7396, and Kubernetes' strategic merge."""

from typing import Any

import pytest

from operators.desk_cluster.errors import BadRequest, Unprocessable
from operators.desk_cluster.objects import Json, copied
from operators.desk_cluster.patches import json_patch, merge_patch, strategic_merge

# JSON patch: RFC 6902, appendix A, and what our operators send ----------------------------------


@pytest.mark.parametrize(
    ("document", "operation", "expected"),
    [
        (
            {"foo": "bar"},
            {"op": "add", "path": "/baz", "value": "qux"},
            {"foo": "bar", "baz": "qux"},
        ),
        (
            {"foo": ["bar", "baz"]},
            {"op": "add", "path": "/foo/1", "value": "qux"},
            {"foo": ["bar", "qux", "baz"]},
        ),
        ({"foo": ["bar"]}, {"op": "add", "path": "/foo/-", "value": 1}, {"foo": ["bar", 1]}),
        ({"foo": 1}, {"op": "add", "path": "/foo", "value": 2}, {"foo": 2}),
        ({"foo": 1}, {"op": "add", "path": "", "value": {"a": 1}}, {"a": 1}),
        ({"baz": "qux", "foo": "bar"}, {"op": "remove", "path": "/baz"}, {"foo": "bar"}),
        ({"foo": [1, 2, 3]}, {"op": "remove", "path": "/foo/1"}, {"foo": [1, 3]}),
        ({"foo": 1}, {"op": "replace", "path": "/foo", "value": None}, {"foo": None}),
        ({"foo": [1, 2, 3]}, {"op": "replace", "path": "/foo/2", "value": 9}, {"foo": [1, 2, 9]}),
        (
            {"foo": {"bar": 1}, "qux": {}},
            {"op": "move", "from": "/foo/bar", "path": "/qux/thud"},
            {"foo": {}, "qux": {"thud": 1}},
        ),
        (
            {"foo": [1, 2, 3, 4]},
            {"op": "move", "from": "/foo/1", "path": "/foo/3"},
            {"foo": [1, 3, 4, 2]},
        ),
        ({"a": [1]}, {"op": "copy", "from": "/a", "path": "/b"}, {"a": [1], "b": [1]}),
        ({"a": {"b": 1}}, {"op": "test", "path": "/a", "value": {"b": 1}}, {"a": {"b": 1}}),
        ({"a/b": 1, "m~n": 2}, {"op": "remove", "path": "/a~1b"}, {"m~n": 2}),
        ({"a/b": 1, "m~n": 2}, {"op": "remove", "path": "/m~0n"}, {"a/b": 1}),
    ],
)
def test_an_operation_does_what_the_rfc_says(document: Any, operation: Json, expected: Any) -> None:
    before = copied(document)

    assert json_patch(document, [operation]) == expected
    assert document == before, "what was stored is nobody's to change"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/metadata/uid", "value": "another"},
        {"op": "test", "path": "/metadata/none", "value": 1},
        {"op": "remove", "path": "/metadata/none"},
        {"op": "replace", "path": "/metadata/none", "value": 1},
        {"op": "add", "path": "/none/below", "value": 1},
        {"op": "add", "path": "/list/3", "value": 1},
        {"op": "add", "path": "/list/-1", "value": 1},
        {"op": "remove", "path": "/list/2"},
        {"op": "remove", "path": "/list/-"},
        {"op": "move", "from": "/none", "path": "/list"},
    ],
)
def test_a_patch_that_does_not_apply_is_unprocessable(operation: Json) -> None:
    document = {"metadata": {"uid": "one"}, "list": [1, 2]}

    with pytest.raises(Unprocessable) as refused:
        json_patch(document, [operation])

    assert refused.value.code == 422


@pytest.mark.parametrize(
    ("value", "found"), [(True, 1), (1, True), (0, False), (False, 0), ([True], [1])]
)
def test_a_number_is_not_a_truth(value: Any, found: Any) -> None:
    with pytest.raises(Unprocessable):
        json_patch({"a": found}, [{"op": "test", "path": "/a", "value": value}])


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "add", "path": "/a", "value": 1},
        [{"op": "swap", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "value": 1}],
        ["add"],
    ],
)
def test_what_is_no_patch_is_a_bad_request(operations: Any) -> None:
    with pytest.raises(BadRequest):
        json_patch({}, operations)


def test_a_failed_test_leaves_everything_as_it_was() -> None:
    gates = [{"name": "held"}]
    pod: Json = {"metadata": {"uid": "one"}, "spec": {"schedulingGates": gates}}
    lift = {"op": "remove", "path": "/spec/schedulingGates"}

    lifted = json_patch(pod, [{"op": "test", "path": "/metadata/uid", "value": "one"}, lift])
    with pytest.raises(Unprocessable):
        json_patch(pod, [lift, {"op": "test", "path": "/metadata/uid", "value": "two"}])

    assert lifted["spec"] == {}
    assert pod["spec"]["schedulingGates"] == gates


# Merge patch: RFC 7396, appendix A --------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_does_what_the_rfc_says(target: Any, patch: Any, expected: Any) -> None:
    before = copied(target)

    assert merge_patch(target, patch) == expected
    assert target == before


# Strategic merge: tasks/manage-kubernetes-objects/update-api-object-kubectl-patch ----------------


def a_spec(**fields: Any) -> Json:
    return {"spec": fields}


def test_containers_are_merged_by_their_names() -> None:
    pod = a_spec(containers=[{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}])
    patch = a_spec(
        containers=[
            {"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]},
            {"name": "b", "image": "3"},
        ]
    )

    merged = strategic_merge(pod, patch)

    assert merged["spec"]["containers"] == [
        {
            "name": "a",
            "image": "2",
            "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
        },
        {"name": "b", "image": "3"},
    ]


def test_a_list_without_a_merge_key_is_replaced() -> None:
    pod = a_spec(tolerations=[{"key": "a"}], containers=[{"name": "a", "args": ["x", "y"]}])
    patch = a_spec(tolerations=[{"key": "b"}], containers=[{"name": "a", "args": ["z"]}])

    assert strategic_merge(pod, patch) == patch


def test_plain_values_are_merged_as_a_set() -> None:
    pod = {"metadata": {"finalizers": ["a/1", "b/2"]}}

    merged = strategic_merge(pod, {"metadata": {"finalizers": ["b/2", "c/3"]}})
    removed = strategic_merge(pod, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/1"]}})

    assert merged["metadata"]["finalizers"] == ["a/1", "b/2", "c/3"]
    assert removed["metadata"]["finalizers"] == ["b/2"]


def test_null_takes_a_field_away() -> None:
    pod = {"metadata": {"labels": {"a": "1", "b": "2"}}}

    assert strategic_merge(pod, {"metadata": {"labels": {"a": None}}}) == {
        "metadata": {"labels": {"b": "2"}}
    }


def test_an_item_is_deleted_by_its_key() -> None:
    pod = a_spec(volumes=[{"name": "a"}, {"name": "b"}])

    merged = strategic_merge(pod, a_spec(volumes=[{"name": "a", "$patch": "delete"}]))

    assert merged == a_spec(volumes=[{"name": "b"}])


def test_a_list_and_a_map_can_be_replaced_as_a_whole() -> None:
    pod = a_spec(volumes=[{"name": "a"}], nodeSelector={"a": "1", "b": "2"})

    merged = strategic_merge(
        pod,
        a_spec(
            volumes=[{"$patch": "replace"}, {"name": "b"}],
            nodeSelector={"$patch": "replace", "c": "3"},
        ),
    )

    assert merged == a_spec(volumes=[{"name": "b"}], nodeSelector={"c": "3"})


def test_only_the_keys_to_retain_are_kept() -> None:
    volume = {"name": "a", "emptyDir": {}}
    patch = {"name": "a", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}

    merged = strategic_merge(a_spec(volumes=[volume]), a_spec(volumes=[patch]))

    assert merged == a_spec(volumes=[{"name": "a", "hostPath": {"path": "/x"}}])


def test_the_order_that_is_asked_for_is_given() -> None:
    pod = a_spec(volumes=[{"name": "a"}, {"name": "b"}])
    order = [{"name": "c"}, {"name": "a"}]
    patch = {"$setElementOrder/volumes": order, "volumes": [{"name": "c"}]}

    merged = strategic_merge(pod, {"spec": patch})

    assert [volume["name"] for volume in merged["spec"]["volumes"]] == ["c", "a", "b"]


def test_ports_are_merged_by_their_numbers() -> None:
    pod = a_spec(containers=[{"name": "a", "ports": [{"containerPort": 80, "name": "web"}]}])
    patch = a_spec(containers=[{"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP"}]}])

    merged = strategic_merge(pod, patch)

    assert merged["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "name": "web", "protocol": "TCP"}
    ]


@pytest.mark.parametrize(
    "patch", [a_spec(volumes=[{"emptyDir": {}}]), a_spec(**{"$patch": "destroy"})]
)
def test_a_strategic_merge_that_makes_no_sense_is_a_bad_request(patch: Json) -> None:
    with pytest.raises(BadRequest):
        strategic_merge(a_spec(volumes=[]), patch)
