import pytest

from tests.builders_spec import a_task, plan_of
from xylem import spec
from xylem.domain.errors import InvalidSpec
from xylem.domain.ids import BackendName, PoolName
from xylem.domain.pool import Platform, Pool
from xylem.spec.resources import size_in_bytes


def a_pool(*platforms: str, default: str | None = None) -> Pool:
    return Pool(
        name=PoolName("default"),
        backend=BackendName("default"),
        default_platform=default,
        platforms=dict.fromkeys(platforms, Platform()),
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("1B", 1),
        ("1500m", 2),
        ("1K", 1024),
        ("1Ki", 1024),
        ("1KiB", 1024),
        ("2M", 2 * 1024**2),
        ("1.5Gi", 1024**3 * 3 // 2),
        ("1T", 1024**4),
        ("0.1B", 1),
    ],
)
def test_all_units_are_binary_and_part_bytes_round_up(text: str, size: int) -> None:
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("text", ["1GB", "1gi", "1P"])
def test_an_unknown_unit_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"invalid unit: {text[1:]}"):
        size_in_bytes(text)


@pytest.mark.parametrize("text", ["", "Gi", "-1Gi", "1 Gi", "1e3", "9" * 5_000])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size|invalid unit"):
        size_in_bytes(text)


def test_a_platform_of_the_pool_is_fine_and_so_is_its_default() -> None:
    plan = plan_of(
        a_task("a"),
        a_task("b", resource="big"),
        resources={"default": {}, "big": {"platform": "gpu"}},
    )

    spec.check_pool(plan, a_pool("cpu", "gpu", default="cpu"))


def test_a_platform_that_the_pool_does_not_have_is_refused() -> None:
    plan = plan_of(a_task(), resources={"default": {"platform": "nope"}})

    with pytest.raises(InvalidSpec) as refused:
        spec.check_pool(plan, a_pool("cpu", default="cpu"))

    lines = str(refused.value).splitlines()
    assert lines == ["Platform nope does not exist in pool default!", "Its platforms: cpu."]
    assert (refused.value.code, refused.value.workflow) == ("RESOURCE", None)


def test_a_pool_without_a_default_platform_needs_one_in_the_spec() -> None:
    with pytest.raises(InvalidSpec, match="Pool default has no default platform"):
        spec.check_pool(plan_of(a_task()), a_pool("cpu"))
