"""What every `Followers` promises."""

from tests.builders import HELLO, NOON
from tests.contract.conftest import Stores
from xylem.domain.ids import ConnectionId, WorkflowId
from xylem.ports.followers import Follower

ONE, TWO = ConnectionId("conn-1="), ConnectionId("conn-2=")


def test_who_follows_is_found_by_the_workflow(stores: Stores) -> None:
    of_all, of_one = Follower(ONE), Follower(TWO, task="lead", retry=3)
    for follower in (of_all, of_one):
        stores.followers.put(HELLO, follower, now=NOON)

    assert stores.followers.of(HELLO) == [of_all, of_one]
    assert stores.followers.of(WorkflowId("other-1")) == []


def test_a_connection_follows_a_workflow_once_as_it_said_last(stores: Stores) -> None:
    stores.followers.put(HELLO, Follower(ONE), now=NOON)
    stores.followers.put(HELLO, Follower(ONE, task="lead"), now=NOON)

    assert stores.followers.of(HELLO) == [Follower(ONE, task="lead")]


def test_who_was_forgotten_follows_no_more_and_may_be_forgotten_again(stores: Stores) -> None:
    stores.followers.put(HELLO, Follower(ONE), now=NOON)

    for _ in range(2):
        stores.followers.delete(HELLO, ONE)

    assert stores.followers.of(HELLO) == []
