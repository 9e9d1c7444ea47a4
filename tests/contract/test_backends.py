"""What every `Backends`, `Pools`, `Logs` and `Connections` promises."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.builders import BACKEND, NOON, an_attempt
from tests.builders_placement import a_node, a_pool, in_use
from tests.contract.conftest import Stores
from xylem.domain.backend_test import BackendTest
from xylem.domain.errors import Conflict, Forbidden, InvalidRequest, UnknownPool
from xylem.domain.ids import BackendName, ConnectionId, PoolName, UserName
from xylem.domain.node import Node, Taint
from xylem.domain.node_conditions import NodeConditions
from xylem.domain.pool import Assertion, Scheduler
from xylem.domain.pool_book import BackendConfig, PoolBook, with_pool
from xylem.domain.registration import Registration
from xylem.ports.backends import Backend, NodeFacts
from xylem.ports.logs import Chunk, LogTail
from xylem.ports.task_tokens import Attempt
from xylem.spec.pools import PoolConfig, pool_of

ONE, TWO = ConnectionId("c-1"), ConnectionId("c-2")
ALICE = UserName("alice")


def hello(stores: Stores, connection: ConnectionId, boot: str = "b", uid: str = "uid") -> Backend:
    return stores.backends.hello(
        BACKEND, cluster_uid=uid, boot_id=boot, version="1", connection=connection, now=NOON
    )


def test_each_hello_counts_an_epoch_and_takes_the_connection_over(stores: Stores) -> None:
    first, second = hello(stores, ONE), hello(stores, TWO)

    assert (first.epoch, second.epoch) == (1, 2)
    assert (second.connection, second.previous) == (TWO, ONE)
    assert stores.backends.backend(BACKEND) == second
    assert stores.backends.all() == [second]


def test_a_name_belongs_to_its_first_cluster(stores: Stores) -> None:
    hello(stores, ONE)

    with pytest.raises(Forbidden):
        hello(stores, TWO, uid="another")
    known = stores.backends.backend(BACKEND)
    assert known is not None
    assert known.connection == ONE


def test_a_backend_is_seen_once_a_minute_at_most(stores: Stores) -> None:
    hello(stores, ONE)
    for seconds in (20, 40, 70, 80):
        stores.backends.seen(BACKEND, NOON + timedelta(seconds=seconds))

    known = stores.backends.backend(BACKEND)
    assert known is not None
    assert known.last_seen == NOON + timedelta(seconds=70)


def test_only_the_current_connection_can_be_lost(stores: Stores) -> None:
    hello(stores, ONE)
    hello(stores, TWO)

    stores.backends.disconnected(BACKEND, ONE)
    still = stores.backends.backend(BACKEND)
    stores.backends.disconnected(BACKEND, TWO)
    lost = stores.backends.backend(BACKEND)

    assert still is not None
    assert lost is not None
    assert (still.connection, lost.connection) == (TWO, None)


def test_a_registration_is_kept_in_the_place_of_the_version_before(stores: Stores) -> None:
    first = Registration(BACKEND, "open", "a" * 64, NOON, ALICE)
    second = replace(first, state="draining", version=2)
    assert stores.backends.registration(BACKEND) is None

    stores.backends.register(first)
    for late in (first, replace(first, version=3)):
        with pytest.raises(Conflict):
            stores.backends.register(late)
    assert stores.backends.registration(BACKEND) == first
    stores.backends.register(second)
    removed = Registration(BackendName("another"), "removed", None, None)
    stores.backends.register(removed)

    assert stores.backends.registration(BACKEND) == second
    assert stores.backends.registrations() == [removed, second]


def test_a_backend_that_is_forgotten_leaves_its_registration_and_may_come_anew(
    stores: Stores,
) -> None:
    stores.backends.register(Registration(BACKEND))
    hello(stores, ONE)
    stores.backends.note_nodes(facts(a_node("a")))

    for _ in range(2):
        stores.backends.forget(BACKEND)

    assert stores.backends.backend(BACKEND) is None
    assert stores.backends.all() == []
    assert stores.backends.nodes(BACKEND) == []
    assert stores.backends.registration(BACKEND) is not None
    assert hello(stores, ONE, uid="another").epoch == 1


def test_a_backend_speaks_over_its_connection_and_the_one_before_in_the_same_boot(
    stores: Stores,
) -> None:
    three = ConnectionId("three")
    spoke = [stores.backends.speaks(BACKEND, ONE, NOON)]
    for connection in (ONE, TWO, three):
        hello(stores, connection)
        spoke.append(stores.backends.speaks(BACKEND, connection, NOON))
    later = NOON + timedelta(minutes=1)
    after = [stores.backends.speaks(BACKEND, one, later) for one in (ONE, TWO, three)]

    assert spoke == [False, True, True, True]
    assert after == [False, True, True]


def test_a_pool_is_what_was_put_last(stores: Stores) -> None:
    with pytest.raises(UnknownPool, match="Pool nope not found"):
        stores.pools.pool("nope")
    stores.pools.put(a_pool(), author=ALICE, now=NOON)
    stores.pools.put(a_pool("other"), author=ALICE, now=NOON)
    stores.pools.put(a_pool(description="new"), author=ALICE, now=NOON)

    assert stores.pools.pool("default").description == "new"
    assert [pool.name for pool in stores.pools.all()] == ["default", "other"]


def test_what_a_pool_names_is_looked_up_as_it_is_now(stores: Stores) -> None:
    pool = a_pool(pod_templates=("t",), resource_validations=("v",))
    kai = Scheduler("kai", "kai-scheduler")
    rules = NodeConditions({"osmo.nvidia.com/.*": "True"}, "ml.osmo.nvidia.com/")
    test = BackendTest("0 2 * * *", conditions=("gpu",), pod_templates=("t",))
    condition = Assertion("LE", "{{USER_GPU}}", "4", "too many")

    def told(book: PoolBook) -> PoolBook:
        return replace(
            with_pool(pool, book),
            pod_templates={**book.pod_templates, "t": {"spec": {"nodeSelector": {"a": "1"}}}},
            resource_validations={**book.resource_validations, "v": (condition,)},
            backends={pool.backend: BackendConfig(kai, {"description": "d"}, rules, ("gpu",))},
            backend_tests={"gpu": test},
        )

    def changed(book: PoolBook) -> PoolBook:
        template = {"spec": {"nodeSelector": {"a": "2"}}}
        return replace(book, pod_templates={**book.pod_templates, "t": template})

    stores.pools.change(told, author=ALICE, now=NOON)
    first = stores.pools.pool("default")
    stores.pools.change(changed, author=ALICE, now=NOON)
    [second] = stores.pools.all()

    assert [one.platforms["a100"].labels for one in (first, second)] == [{"a": "1"}, {"a": "2"}]
    assert (second.scheduler, second.assertions) == (kai, (condition,))
    assert second.node_conditions == rules
    assert stores.pools.book().backend_tests == {"gpu": test}
    assert stores.pools.book().naming_test("gpu") == [pool.backend]
    assert stores.pools.book().pools == {"default": pool}
    assert set(stores.pools.book().pod_templates) == {"default_ctrl", "default_user", "t"}


def test_a_change_that_is_refused_changes_nothing(stores: Stores) -> None:
    stores.pools.put(a_pool(), author=ALICE, now=NOON)
    before = stores.pools.book()

    def refused(book: PoolBook) -> PoolBook:
        raise InvalidRequest("no")

    with pytest.raises(InvalidRequest):
        stores.pools.change(refused, author=ALICE, now=NOON)

    assert stores.pools.book() == before


def test_what_is_changed_meanwhile_is_changed_again_from_there(stores: Stores) -> None:
    """A template is being deleted while a pool comes to name it."""
    stores.pools.put(a_pool(), author=ALICE, now=NOON)
    seen: list[int] = []

    def into(book: PoolBook) -> PoolBook:
        seen.append(len(book.naming_template("default_user")))
        if len(seen) == 1:
            naming = a_pool(pod_templates=("default_user",))
            stores.pools.put(naming, author=ALICE, now=NOON)
        return replace(book, pod_templates={**book.pod_templates, "new": {}})

    stores.pools.change(into, author=ALICE, now=NOON)

    assert seen == [0, 1]
    assert stores.pools.book().pools[PoolName("default")].pod_templates == ("default_user",)
    assert "new" in stores.pools.book().pod_templates


def test_the_first_chunk_at_an_offset_stays(stores: Stores) -> None:
    first, late = Chunk(0, 10, body=b"first"), Chunk(0, 12, body=b"late")

    assert stores.logs.put_chunk(an_attempt(), first) == first
    assert stores.logs.put_chunk(an_attempt(), late) == first
    assert stores.logs.chunks(an_attempt()) == [first]


def test_chunks_come_by_offset_from_where_one_asks(stores: Stores) -> None:
    chunks = [Chunk(offset, 5, key=f"k{offset}") for offset in (0, 5, 10, 100)]
    for chunk in reversed(chunks):
        stores.logs.put_chunk(an_attempt(), chunk)
    stores.logs.put_end(an_attempt(), LogTail(105))

    assert stores.logs.chunks(an_attempt()) == chunks
    assert stores.logs.chunks(an_attempt(), start=5, limit=2) == chunks[1:3]


@pytest.mark.parametrize(
    "other", [an_attempt("side"), an_attempt(retry=1), an_attempt(incarnation=1)]
)
def test_no_attempt_sees_anothers_log(stores: Stores, other: Attempt) -> None:
    stores.logs.put_chunk(an_attempt(), Chunk(0, 1, body=b"x"))

    assert stores.logs.chunks(other) == []
    assert stores.logs.end(other) is None


def test_the_first_end_stays(stores: Stores) -> None:
    assert stores.logs.end(an_attempt()) is None
    assert stores.logs.put_end(an_attempt(), LogTail(7)) == LogTail(7)
    assert stores.logs.put_end(an_attempt(), LogTail(9, complete=False)) == LogTail(7)
    assert stores.logs.end(an_attempt()) == LogTail(7)


def test_who_arrives_at_a_barrier_twice_is_there_once(stores: Stores) -> None:
    for attempt in (an_attempt(), an_attempt("side"), an_attempt()):
        stores.logs.arrive(attempt, 0)
    group = an_attempt().group

    assert stores.logs.arrived(group, 0, 0) == {("lead", 0), ("side", 0)}
    assert stores.logs.arrived(group, 1, 0) == set()


def test_a_group_that_began_anew_has_another_barrier(stores: Stores) -> None:
    stores.logs.arrive(an_attempt(), 0)
    stores.logs.arrive(an_attempt("side"), 1)

    assert stores.logs.arrived(an_attempt().group, 0, 1) == {("side", 0)}


def test_a_socket_is_found_by_itself_and_by_whose_it_is(stores: Stores) -> None:
    for connection in (ONE, TWO):
        stores.connections.put(connection, kind="user", subject=ALICE, backend=None, now=NOON)
    stores.connections.delete(TWO)
    stores.connections.delete(TWO)

    found = stores.connections.get(ONE)
    assert found is not None
    assert stores.connections.of("user", ALICE) == [found]
    assert stores.connections.get(TWO) is None
    assert stores.connections.of("operator", ALICE) == []


def facts(*nodes: Node, number: int = 1, boot: str = "b", **fields: Any) -> NodeFacts:
    return NodeFacts(BACKEND, boot, number, nodes, **fields)


def test_nodes_are_as_they_were_said_last(stores: Stores) -> None:
    node = a_node(
        "b",
        uses=(in_use(2),),
        labels={"kind": "a100"},
        taints=(Taint("x", "NoExecute"),),
        conditions={"Ready": "True", "osmo.nvidia.com/gpu": "Unknown"},
    )

    assert stores.backends.note_nodes(facts(node, a_node("a"))) == 2
    assert stores.backends.note_nodes(facts(a_node("a", gpu=4), number=2)) == 1

    assert stores.backends.nodes(BACKEND) == [a_node("a", gpu=4), node]
    assert stores.backends.nodes(BackendName("other")) == []


def test_all_nodes_of_a_range_are_said_and_those_that_did_not_change_cost_nothing(
    stores: Stores,
) -> None:
    stores.backends.note_nodes(facts(a_node("a"), a_node("b"), a_node("c")))

    written = stores.backends.note_nodes(
        facts(a_node("a"), a_node("b", gpu=4), number=2, whole=("", "b~"))
    )
    again = stores.backends.note_nodes(facts(a_node("c"), number=3, whole=("b~~", "~")))

    assert (written, again) == (1, 0)
    assert stores.backends.nodes(BACKEND) == [a_node("a"), a_node("b", gpu=4), a_node("c")]


def test_a_node_that_is_missing_in_its_range_is_gone_and_so_is_one_that_is_named(
    stores: Stores,
) -> None:
    stores.backends.note_nodes(facts(*(a_node(name) for name in "abcd")))

    assert stores.backends.note_nodes(facts(a_node("a"), number=2, whole=("", "b~"))) == 1
    assert stores.backends.note_nodes(facts(number=3, gone=("d", "never"))) == 1

    assert [node.name for node in stores.backends.nodes(BACKEND)] == ["a", "c"]


def test_a_frame_that_was_overtaken_undoes_nothing_that_a_newer_one_said(stores: Stores) -> None:
    stores.backends.note_nodes(facts(a_node("a", gpu=4), a_node("b"), number=7))

    late = facts(a_node("a", gpu=8), number=6, gone=("b",))
    assert stores.backends.note_nodes(late) == 0
    assert stores.backends.note_nodes(facts(number=5, whole=("", "~"))) == 0

    assert stores.backends.nodes(BACKEND) == [a_node("a", gpu=4), a_node("b")]


def test_another_boot_counts_its_frames_anew(stores: Stores) -> None:
    stores.backends.note_nodes(facts(a_node("a"), number=70))

    assert stores.backends.note_nodes(facts(a_node("a", gpu=4), number=1, boot="c")) == 1
    assert stores.backends.note_nodes(facts(number=2, boot="d", whole=("", "~"))) == 1


def test_a_pool_keeps_every_word_of_its_config(stores: Stores) -> None:
    config = {
        "backend": "cluster-1",
        "enable_maintenance": True,
        "default_exec_timeout": "90m",
        "default_exit_actions": {"RESCHEDULE": "3006"},
        "resources": {"gpu": {"guarantee": 8, "maximum": 16}},
        "topology_keys": [{"key": "rack", "label": "topology/rack"}],
        "common_default_variables": {"USER_CPU": 4, "TEAM": "ml", "RATIO": 0.5, "ON": True},
        "common_resource_validations": ["default_cpu"],
        "common_pod_template": ["default_user"],
        "platforms": {
            "a100": {
                "labels": {"kind": "a100"},
                "tolerations": [{"key": "dedicated", "operator": "Exists"}],
                "allowed_mounts": ["/data"],
            }
        },
    }
    pool = pool_of("full", PoolConfig.model_validate(config))

    stores.pools.put(pool, author=ALICE, now=NOON)

    assert stores.pools.book().pools == {"full": pool}
