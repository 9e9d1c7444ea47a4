import pytest

from operators.desk_cluster.errors import BadRequest, NotFound
from operators.desk_cluster.faults import WELL, Fault, Faults, Kind, parse
from operators.desk_cluster.objects import Json


def test_a_fault_is_of_one_node_and_told_to_whom_it_concerns() -> None:
    faults, told = Faults(["a", "b"]), []
    faults.tell(lambda node, fault: told.append((node, fault)))

    faults.set("a", Fault(Kind.CRASHED))

    assert (faults.of("a").silent, faults.of("b"), faults.of("stranger")) == (True, WELL, WELL)
    assert told == [("a", Fault(Kind.CRASHED))]
    with pytest.raises(NotFound):
        faults.set("stranger", WELL)


def test_a_slow_node_is_heard() -> None:
    assert parse({"fault": "slow", "seconds": 2}) == Fault(Kind.SLOW, 2.0)
    assert not Fault(Kind.SLOW, 2.0).silent


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"fault": "sad"},
        {"fault": "slow"},
        {"fault": "slow", "seconds": -1},
        {"fault": 1},
        [],
    ],
)
def test_what_is_no_fault_is_refused_with_what_to_write(body: Json) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(body)

    assert "none, crashed, partitioned, slow" in refused.value.message
