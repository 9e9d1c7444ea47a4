"""An admin's config of a pool, as OSMO writes it: what is understood, kept, and refused by path."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from xylem.domain.errors import InvalidRequest
from xylem.domain.exits import ExitRule
from xylem.domain.node import Toleration
from xylem.domain.plan import Resources
from xylem.domain.pool import GpuQuota, Pool, PoolLimits, TopologyKey
from xylem.spec.pools import PoolConfig, config_of, pool_of

OSMO: dict[str, Any] = {
    "name": "default",
    "description": "Default pool",
    "status": "ONLINE",
    "download_type": None,
    "enable_maintenance": False,
    "backend": "default",
    "default_platform": "default",
    "default_exec_timeout": "",
    "default_queue_timeout": "",
    "max_exec_timeout": "",
    "max_queue_timeout": "",
    "default_exit_actions": {},
    "resources": {"gpu": None},
    "topology_keys": [],
    "common_default_variables": {
        "USER_CPU": 1,
        "USER_GPU": 0,
        "USER_MEMORY": "1Gi",
        "USER_STORAGE": "1Gi",
    },
    "common_resource_validations": ["default_cpu", "default_memory", "default_storage"],
    "common_pod_template": ["default_ctrl", "default_user"],
    "common_group_templates": [],
    "platforms": {
        "default": {
            "description": "",
            "host_network_allowed": False,
            "privileged_allowed": False,
            "allowed_mounts": [],
            "default_variables": {},
            "resource_validations": [],
            "override_pod_template": [],
        }
    },
}
"""The config that OSMO answers for its own default pool, as it was recorded."""


def put(**fields: Any) -> Pool:
    return pool_of("p", PoolConfig.model_validate({"backend": "b", **fields}))


def put_platform(**fields: Any) -> Pool:
    return put(platforms={"a100": fields})


def test_osmos_own_default_pool_is_taken_and_reads_back_as_it_was() -> None:
    pool = pool_of("default", PoolConfig.model_validate(OSMO))

    assert {**config_of(pool), "status": "ONLINE"} == OSMO


def test_what_is_read_back_can_be_put_again() -> None:
    pool = put(
        enable_maintenance=True,
        max_exec_timeout="90m",
        default_start_timeout="1h",
        max_waiting_timeout="2d",
        default_exit_actions={"RESCHEDULE": "3006"},
        resources={"gpu": {"guarantee": 8, "maximum": 16, "weight": 2}},
        topology_keys=[{"key": "rack", "label": "topology/rack"}],
        parsed_resource_validations=[
            {
                "operator": "LE",
                "left_operand": "{{USER_GPU}}",
                "right_operand": "4",
                "assert_message": "too many",
            }
        ],
        platforms={
            "a100": {
                "labels": {"kind": "a100"},
                "tolerations": [{"key": "dedicated", "operator": "Exists"}],
                "allowed_mounts": ["/data"],
                "default_mounts": ["/scratch"],
                "default_variables": {"USER_GPU": 1, "TEAM": "ml"},
                "override_pod_template": ["default_user"],
            }
        },
    )

    assert pool_of("p", PoolConfig.model_validate(config_of(pool))) == pool


def test_what_means_something_to_us_is_parsed() -> None:
    pool = put(
        default_queue_timeout="2h",
        max_exec_timeout="1d",
        default_start_timeout="1h",
        default_processing_timeout="10m",
        max_start_timeout="3h",
        max_waiting_timeout="2d",
        default_exit_actions={"reschedule": "3006, 3001-3003", "FAIL": "7"},
        resources={"gpu": {"guarantee": 8}},
        topology_keys=[{"key": "rack", "label": "topology/rack"}],
        common_default_variables={"USER_MEMORY": "2Gi", "USER_CPU": "4"},
    )

    hour = timedelta(hours=1)
    assert pool.default_limits == PoolLimits(
        queue=2 * hour, start=hour, processing=timedelta(minutes=10)
    )
    assert pool.max_limits == PoolLimits(execution=24 * hour, start=3 * hour, waiting=48 * hour)
    assert pool.exit_rules == (
        ExitRule("reschedule", ((3006, 3006), (3001, 3003))),
        ExitRule("fail", ((7, 7),)),
    )
    assert pool.gpu == GpuQuota(8, -1, 1)
    assert pool.topology_keys == (TopologyKey("rack", "topology/rack"),)
    assert pool.defaults == Resources(cpu=4, memory=2 * 1024**3)


def test_a_platform_says_which_nodes_its_pods_go_to() -> None:
    pool = put_platform(
        labels={"kind": "a100"},
        tolerations=[{"key": "dedicated", "value": "ml", "effect": "NoSchedule"}],
    )

    assert pool.platforms["a100"].labels == {"kind": "a100"}
    assert pool.platforms["a100"].tolerations == (
        Toleration("dedicated", "Equal", "ml", "NoSchedule"),
    )


def test_a_pool_keeps_the_names_of_what_it_names() -> None:
    pool = put(
        common_resource_validations=["default_cpu"],
        common_pod_template=["default_ctrl", "default_user"],
        platforms={"a100": {"override_pod_template": ["default_user"]}},
    )

    assert pool.resource_validations == ("default_cpu",)
    assert pool.assertions == ()
    assert pool.pod_templates == ("default_ctrl", "default_user")
    assert pool.platforms["a100"].pod_templates == ("default_user",)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "q"}, "configs.name: is q, but the pool is p."),
        ({"default_platform": "x"}, "configs.default_platform: is x, but must be one of"),
        ({"max_exec_timeout": "-5s"}, "configs.max_exec_timeout: -5s is negative."),
        ({"max_start_timeout": "0s"}, "configs.max_start_timeout: 0s is no time at all."),
        ({"default_waiting_timeout": "-1h"}, "configs.default_waiting_timeout: -1h is negative."),
        ({"max_processing_timeout": "5"}, 'configs.max_processing_timeout: "5" is no time'),
        ({"default_queue_timeout": "soon"}, 'configs.default_queue_timeout: "soon" is no time'),
        ({"default_exit_actions": {"RESTART": "1"}}, "RESTART: is no action: known are COMPLETE"),
        ({"default_exit_actions": {"FAIL": "5-1"}}, 'FAIL: "5-1" names no exit code'),
        ({"default_exit_actions": {"FAIL": "1-2-3"}}, 'FAIL: "1-2-3" names no exit codes'),
        (
            {"resources": {"gpu": {"guarantee": 8, "maximum": 4}}},
            "guarantee is 8, but the maximum 4",
        ),
        (
            {"topology_keys": [{"key": "r", "label": "a"}, {"key": "r", "label": "b"}]},
            "configs.topology_keys: r is there more than once.",
        ),
        ({"common_default_variables": {"USER_CPU": 1.5}}, "USER_CPU: 1.5 is no whole number."),
        ({"common_default_variables": {"USER_CPU": True}}, "USER_CPU: True is no number."),
        ({"common_default_variables": {"USER_MEMORY": "1GB"}}, "invalid unit: GB"),
        ({"common_default_variables": {"X": [1]}}, "X: is text, a number, true or false."),
        (
            {"common_resource_validations": ["mine"]},
            "configs.common_resource_validations[0]: mine is not known: known are default_cpu",
        ),
        (
            {"common_pod_template": ["default_user", "shared_memory"]},
            "configs.common_pod_template[1]: shared_memory is not known: known are default_ctrl",
        ),
        (
            {"common_pod_template": ["default_user", "default_user"]},
            "configs.common_pod_template[1]: default_user is there more than once.",
        ),
        (
            {
                "parsed_resource_validations": [
                    {
                        "operator": "LE",
                        "left_operand": "{{USER_TPU}}",
                        "right_operand": "4x",
                        "assert_message": "",
                    }
                ]
            },
            "parsed_resource_validations[0].left_operand: {{USER_TPU}} is not known",
        ),
    ],
)
def test_what_does_not_fit_together_is_named_by_its_path(
    fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        put(**fields)

    assert problem in str(refused.value)
    assert refused.value.code == "USAGE"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"allowed_mounts": ["data"]}, "allowed_mounts[0]: data is no folder of a node"),
        ({"allowed_mounts": ["/a/../etc"]}, "allowed_mounts[0]: /a/../etc is no folder"),
        ({"default_mounts": ["/a:/b"]}, "default_mounts[0]: /a:/b is no folder"),
        ({"labels": {"kind": "a b"}}, "labels.kind: kind=a b is no label"),
        ({"labels": {"x/-": "a"}}, "labels.x/-: x/-=a is no label"),
        ({"tolerations": [{}]}, "tolerations[0]: without a key its operator must be Exists."),
        (
            {"tolerations": [{"key": "k", "operator": "Exists", "value": "v"}]},
            "tolerations[0]: with the operator Exists it has no value.",
        ),
        ({"default_variables": {"USER_GPU": -1}}, "default_variables.USER_GPU: -1 is no whole"),
        ({"resource_validations": ["mine"]}, "resource_validations[0]: mine is not known"),
        ({"override_pod_template": ["mine"]}, "override_pod_template[0]: mine is not known"),
    ],
)
def test_what_does_not_fit_in_a_platform_is_named_by_its_path(
    fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        put_platform(**fields)

    assert f"configs.platforms.a100.{problem}" in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidRequest) as refused:
        put(max_exec_timeout="x", platforms={"a": {"allowed_mounts": ["b", "c"]}})

    assert len(str(refused.value).splitlines()) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"bogus": 1},
        {"backend": "-"},
        {"platforms": {"-": {}}},
        {"platforms": {"a": {"bogus": 1}}},
        {"resources": {"gpu": {"guarantee": -2}}},
        {"platforms": {"a": {"tolerations": [{"key": "k", "effect": "Never"}]}}},
    ],
)
def test_a_key_that_nobody_knows_and_a_value_of_no_sense_are_refused(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        put(**fields)
