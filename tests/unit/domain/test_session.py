"""Which connection is which side's, and how a session ends: once."""

from dataclasses import replace
from datetime import timedelta

from tests.builders import BACKEND, GROUP, NOON
from xylem.domain.ids import ConnectionId, TaskName, UserName, WorkflowId
from xylem.domain.session import Attachment, Over, Place, Session, Stale, attach, ended


def a_session() -> Session:
    return Session(
        id="a" * 32,
        user=UserName("alice"),
        purpose="exec",
        workflow=WorkflowId("hello-1"),
        group=GROUP,
        incarnation=0,
        task=TaskName("main"),
        retry=0,
        backend=BACKEND,
        created_at=NOON,
        expires_at=NOON + timedelta(hours=24),
    )


def a_place(connection: str = "c-1", number: int = 1, nonce: str = "p") -> Place:
    return Place(ConnectionId(connection), number, nonce)


def attached(session: Session, place: Place) -> Session:
    found = attach(session, "client", place, NOON)
    assert isinstance(found, Attachment)
    return found.session


def test_each_attach_of_a_side_is_a_generation() -> None:
    first = attached(a_session(), a_place())
    moved = attached(first, a_place("c-2", 2))
    other = attach(moved, "operator", a_place("o-1"), NOON)

    assert (first.client, first.generation) == (a_place(), 1)
    assert (moved.client, moved.generation) == (a_place("c-2", 2), 2)
    assert isinstance(other, Attachment)
    assert (other.session.peer("client"), other.session.generation) == (a_place("o-1"), 3)


def test_the_same_attach_again_changes_nothing() -> None:
    first = attached(a_session(), a_place())

    assert attach(first, "client", a_place(), NOON) == Attachment(first, changed=False)


def test_a_slow_attach_does_not_overwrite_a_newer_one() -> None:
    moved = attached(a_session(), a_place("c-2", 2))

    assert attach(moved, "client", a_place("c-1", 1), NOON) == Stale()


def test_another_process_ends_the_session_instead_of_going_on_in_it() -> None:
    first = attached(a_session(), a_place())

    found = attach(first, "client", a_place("c-9", 9, nonce="another"), NOON)

    assert isinstance(found, Attachment)
    assert found.session.over is not None
    assert found.session.over.code == "peer_restarted"
    assert found.session.client == a_place()


def test_nothing_is_attached_after_the_end_or_after_its_time() -> None:
    over = ended(a_session(), "exited", "", NOON)
    late = attach(a_session(), "client", a_place(), NOON + timedelta(hours=25))

    assert attach(over, "client", a_place(), NOON) == Attachment(over, changed=False)
    assert isinstance(late, Attachment)
    assert late.session.over is not None
    assert late.session.over.code == "limit"


def test_how_it_ended_first_is_what_stays() -> None:
    over = ended(a_session(), "exited", "done", NOON)

    assert ended(over, "broken", "no", NOON + timedelta(minutes=1)) == over
    assert over == replace(a_session(), over=Over("exited", "done", NOON))
