"""A hostile operator, with a valid credential of its own backend: whatever it tries is refused in
words and counted, and nothing changes for anyone else."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.stories.world import BACKEND, BOOT, World
from xylem.domain.ids import BackendName, ConnectionId, WorkflowId, mail_id
from xylem.domain.status import TaskStatus, WorkflowStatus
from xylem.protocol import agent
from xylem.protocol.limits import FRAME_BYTES, NEWS_EVENTS
from xylem.protocol.queues import Greeted, NodesOf, Retired, news_message
from xylem.usecases import backends, news, operators
from xylem.usecases.operators import Taken

ATTACKER = BackendName("cluster-2")
EVIL = ConnectionId("evil-1")
HELLO = "workflow:\n  name: hello\n  tasks:\n  - {name: hello, image: alpine, command: [echo]}\n"


@dataclass(frozen=True)
class Outcome:
    """Of a frame: what ingest made of it, what the Agent refused, and what was answered."""

    taken: Taken
    refused: Counter[str]
    answers: tuple[Any, ...]

    @property
    def codes(self) -> list[str]:
        return [answer.code for answer in self.answers if hasattr(answer, "code")]


class Scene:
    """The victim's task runs on `cluster-1`; the attacker said hello for `cluster-2`."""

    def __init__(self) -> None:
        self.world = World()
        self.hello: WorkflowId = self.world.submit(HELLO)
        self.world.settle()
        self.create = self.world.cluster.jobs[-1]
        self.world.pod(self.hello, "hello", "RUNNING")
        self.world.settle()
        assert self.world.task(self.hello, "hello").status is TaskStatus.RUNNING
        self.group = self.world.group(self.hello, "hello-group")
        welcome = self.attack(
            agent.Hello(backend=ATTACKER, cluster_uid="uid-2", boot_id="evil", version="1")
        )
        assert isinstance(welcome.answers[0], agent.Welcome)

    def attack(
        self,
        frame: str | agent.FromOperator,
        *,
        backend: BackendName = ATTACKER,
        connection: ConnectionId = EVIL,
    ) -> Outcome:
        """Through ingest and the Agent, as far as it gets."""
        world = self.world
        world.links.take()
        text = frame if isinstance(frame, str) else frame.model_dump_json()
        taken = operators.take(
            text,
            backend=backend,
            connection=connection,
            backends=world.backends,
            links=world.links,
            news=world.news,
            clock=world.clock,
        )
        refused = self.apply(world.news.take())
        answers = [text for to, text in world.links.take() if to == connection]
        told = tuple(agent.agent_message.validate_json(answer) for answer in answers)
        return Outcome(taken, refused, told)

    def apply(self, bodies: list[str]) -> Counter[str]:
        refused: Counter[str] = Counter()
        of: dict[WorkflowId, list[Any]] = {}
        for body in bodies:
            match news_message.validate_json(body):
                case Greeted() as greeted:
                    backends.deliver_mailbox(greeted, engine=self.world)
                case Retired():
                    pass  # it comes a minute later, and here it is not over
                case NodesOf() as nodes:
                    backends.note_nodes(nodes, backends=self.world.backends)
                case message:
                    of.setdefault(message.workflow, []).append(message)
        for workflow, messages in of.items():
            refused += news.apply(workflow, messages, engine=self.world)
        return refused

    def everything(self) -> Any:
        """All rows but those of the attacker's own backend."""
        rows = self.world.rows
        victim = self.world.backends.backend(BACKEND)
        nodes = self.world.backends.nodes(BACKEND)
        mail = {key: row for key, row in rows.mail.items() if key[0] != ATTACKER}
        stored = {id: dict(groups) for id, groups in rows.stored_groups.items()}
        known = [one.name for one in self.world.backends.all()]
        workflows, jobs = dict(rows.stored_workflows), dict(rows.stored_jobs)
        return rows.commits, workflows, stored, jobs, mail, victim, nodes, known

    # What it may say -----------------------------------------------------------------------------

    def pod(self, **fields: Any) -> dict[str, Any]:
        """The victim's, by its true fences."""
        return {
            "workflow": self.hello,
            "group": self.group.id,
            "incarnation": 0,
            "task": "hello",
            "retry": 0,
            "uid": "uid-hello-0",
            "status": "COMPLETED",
            "exit_code": 0,
            **fields,
        }

    def told(self, *, seq: int = 1, **fields: Any) -> str:
        return frame("news", boot_id="evil", events=[{"seq": seq, "pod": self.pod(**fields)}])

    def result(self, **fields: Any) -> dict[str, Any]:
        whole = {"workflow": self.hello, "job_id": self.create.job_id, "status": "failed"}
        return {**whole, **fields}

    def anchor(self, **fields: Any) -> dict[str, Any]:
        whole = {"workflow": self.hello, "group": self.group.id, "incarnation": 0}
        return {**whole, "state": "created", "done": 1, **fields}

    def inventory(self, **fields: Any) -> str:
        return frame("inventory", boot_id="evil", first="", last="~", **fields)


def frame(kind: str, **fields: Any) -> str:
    return json.dumps({"to": "agent", "type": kind, **fields})


def hello(**fields: Any) -> str:
    whole = {"backend": ATTACKER, "cluster_uid": "uid-2", "boot_id": "evil", "version": "1"}
    return frame("hello", **{**whole, **fields})


Attempt = Callable[[Scene], str]

REFUSED_WHOLE: dict[str, tuple[Attempt, str]] = {
    "another backend's name": (lambda s: hello(backend=BACKEND), "not_yours"),
    "a backend's name of 20 KB": (lambda s: hello(backend="b" * 20_000), "not_yours"),
    "its own name from another cluster": (lambda s: hello(cluster_uid="other"), "other_cluster"),
    "a version of 20 KB": (lambda s: hello(version="1" * 20_000), "invalid_frame"),
    "a frame of 1 MB": (lambda s: s.told(message="x" * 2**20), "too_large"),
    "a million events in a frame": (
        lambda s: frame("news", boot_id="evil", events=[{}] * 10**6),
        "too_large",
    ),
    "more events than are said at once": (
        lambda s: frame("news", boot_id="e", events=[{"seq": 1}] * (NEWS_EVENTS + 1)),
        "invalid_frame",
    ),
    "nothing": (lambda s: "", "invalid_frame"),
    "no JSON": (lambda s: s.told()[:-1], "invalid_frame"),
    "no object": (lambda s: "[" + s.told() + "]", "invalid_frame"),
    "deep nesting": (lambda s: "[" * (FRAME_BYTES - 1), "invalid_frame"),
    "deep nesting in an event": (
        lambda s: s.told()[:-2] + "," + '{"a":' * 5_000 + "1" + "}" * 5_000 + "]}",
        "invalid_frame",
    ),
    "a text that is no Unicode": (lambda s: s.told(message="\udfff"), "invalid_frame"),
    "a word of another": (lambda s: frame("welcome", epoch=1), "invalid_frame"),
    "an event without a number": (
        lambda s: frame("news", boot_id="evil", events=[{"pod": s.pod()}]),
        "invalid_frame",
    ),
    "a number without an end": (lambda s: s.told(seq=10**400), "invalid_frame"),
    "an answer to no job": (
        lambda s: frame("job_result", **s.result(job_id="everything")),
        "invalid_frame",
    ),
    "an answer to a job whose key is no key": (
        lambda s: frame("job_result", **s.result(job_id="a#b#c")),
        "invalid_frame",
    ),
    "an answer of a workflow of 30 KB": (
        lambda s: frame("job_result", **s.result(workflow="w" * 30_000)),
        "invalid_frame",
    ),
    "an answer whose pod cannot be": (
        lambda s: frame("job_result", **s.result(observations=[s.pod(exit_code=10**40)])),
        "invalid_frame",
    ),
    "a bundle with an answer to no job": (
        lambda s: frame("bundle", boot_id="evil", results=[s.result(job_id="x")]),
        "invalid_frame",
    ),
    "ten thousand nodes that are gone": (
        lambda s: frame("nodes", boot_id="evil", number=1, gone=["n"] * 5_000),
        "invalid_frame",
    ),
    "a thousand nodes in a frame": (
        lambda s: frame("nodes", boot_id="evil", number=1, nodes=[{"name": "n"}] * 1_000),
        "invalid_frame",
    ),
    "nodes from the last to the first": (
        lambda s: frame("nodes", boot_id="evil", number=1, whole=["b", "a"]),
        "invalid_frame",
    ),
    "a node without an end": (
        lambda s: frame(
            "nodes",
            boot_id="evil",
            number=1,
            nodes=[{"name": "n", "allocatable": {"cpu": 10**40}}],
        ),
        "invalid_frame",
    ),
    "a machine without an end": (
        lambda s: frame(
            "nodes",
            boot_id="evil",
            number=1,
            nodes=[{"name": "n", "capacity": {"cpu": 10**40}}],
        ),
        "invalid_frame",
    ),
}


@pytest.mark.parametrize("name", REFUSED_WHOLE)
def test_a_frame_is_refused_whole_and_nothing_changes(name: str) -> None:
    scene = Scene()
    attempt, code = REFUSED_WHOLE[name]
    before = scene.everything()

    outcome = scene.attack(attempt(scene))

    assert outcome.taken.refused == code
    assert outcome.taken.why
    assert outcome.codes == [code], "and its sender is told"
    assert outcome.refused == {}, "nothing of it came to the queue"
    assert scene.everything() == before


REJECTED: dict[str, tuple[Attempt, str]] = {
    "the end of another's task": (lambda s: s.told(), "not_yours"),
    "another's task that is not there": (lambda s: s.told(task="nobody"), "not_yours"),
    "a workflow that is not there": (lambda s: s.told(workflow="nobody-1"), "unknown_entity"),
    "a group that is not there": (lambda s: s.told(group="f" * 32), "unknown_entity"),
    "a group that cannot be": (lambda s: s.told(group="everything"), "unknown_entity"),
    "a group without a name": (lambda s: s.told(group=""), "unknown_entity"),
    "another row in place of the group": (
        lambda s: s.told(group=f"{s.group.id}#T#hello#000000"),
        "unknown_entity",
    ),
    "a workflow of 30 KB": (lambda s: s.told(workflow="w" * 30_000), "unknown_entity"),
    "a task of 30 KB": (lambda s: s.told(task="t" * 30_000), "invalid"),
    "a node of 30 KB": (lambda s: s.told(node="n" * 30_000), "invalid"),
    "an attempt before the first": (lambda s: s.told(retry=-1), "invalid"),
    "an incarnation without an end": (lambda s: s.told(incarnation=10**40), "invalid"),
    "an exit code without an end": (lambda s: s.told(exit_code=10**40), "invalid"),
    "a time without an offset": (lambda s: s.told(ended_at="2026-06-01T12:00:00"), "invalid"),
    "the end of all times": (lambda s: s.told(started_at="9999-12-31T23:59:59Z"), "invalid"),
    "a status that nobody knows": (lambda s: s.told(status="DANCING"), "invalid"),
    "a message of 5,000 characters": (lambda s: s.told(message="x" * 5_000), "invalid"),
}


@pytest.mark.parametrize("name", REJECTED)
def test_an_event_is_rejected_by_its_number_and_nothing_changes(name: str) -> None:
    scene = Scene()
    attempt, code = REJECTED[name]
    before = scene.everything()

    outcome = scene.attack(attempt(scene))

    assert [(type(answer), answer.seq) for answer in outcome.answers] == [(agent.Rejected, 1)]
    assert outcome.codes == [code]
    assert outcome.taken.rejected + outcome.refused[code] == 1, "it is counted once"
    assert scene.everything() == before


UNANSWERED: dict[str, Attempt] = {
    "that another's create failed": lambda s: frame("job_result", **s.result()),
    "that another's cleanup is done": lambda s: frame(
        "job_result", **s.result(job_id=mail_id(s.group.id, 0, 2), status="done")
    ),
    "another's anchor without its pods": lambda s: s.inventory(anchors=[s.anchor()]),
    "a bundle of both": lambda s: frame(
        "bundle",
        boot_id="evil",
        events=[{"seq": 1, "pod": s.pod()}],
        results=[s.result()],
    ),
}


@pytest.mark.parametrize("name", UNANSWERED)
def test_what_is_anothers_is_refused_by_the_commit_and_counted(name: str) -> None:
    scene = Scene()
    before = scene.everything()

    outcome = scene.attack(UNANSWERED[name](scene))

    assert outcome.refused["not_yours"] >= 1
    assert scene.everything() == before


@pytest.mark.parametrize("group", ["everything", "", "z" * 32])
def test_an_inventory_of_what_cannot_be_is_left_out_and_the_rest_of_it_counts(group: str) -> None:
    scene = Scene()
    before = scene.everything()

    outcome = scene.attack(
        scene.inventory(anchors=[scene.anchor(group=group)], pods=[scene.pod(group=group)])
    )

    assert (outcome.taken.refused, outcome.taken.left_out) == (None, 2)
    assert outcome.answers == ()
    assert scene.everything() == before


# Beside others -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*REFUSED_WHOLE, *REJECTED, *UNANSWERED])
def test_the_victims_news_in_the_same_batch_is_heard_all_the_same(name: str) -> None:
    attempts = {**REFUSED_WHOLE, **REJECTED}
    attempt = attempts[name][0] if name in attempts else UNANSWERED[name]
    scene = Scene()
    world = scene.world
    text = attempt(scene)
    operators.take(
        text,
        backend=ATTACKER,
        connection=EVIL,
        backends=world.backends,
        links=world.links,
        news=world.news,
        clock=world.clock,
    )
    evil = world.news.take()
    seq = world.pod(scene.hello, "hello", "COMPLETED", 0)

    scene.apply(evil + world.news.take())
    world.listen()

    assert seq in world.cluster.acknowledged
    assert world.look(scene.hello).workflow.status is WorkflowStatus.COMPLETED


def test_one_event_that_nobody_understands_keeps_no_other_from_being_heard() -> None:
    """A word of tomorrow in one pod's news: the operator says the frame again until all of it is
    answered."""
    scene = Scene()
    odd = {"seq": 71, "pod": scene.pod(status="FAILED_TOMORROW")}
    sound = {"seq": 72, "pod": scene.pod()}

    outcome = scene.attack(
        frame("news", boot_id=BOOT, events=[odd, sound]),
        backend=BACKEND,
        connection=ConnectionId("connection-1"),
    )

    [acknowledged] = [one for one in outcome.answers if isinstance(one, agent.Ack)]
    [rejected] = [one for one in outcome.answers if isinstance(one, agent.Rejected)]
    assert (rejected.seq, rejected.code) == (71, "invalid")
    assert acknowledged.ranges == [(72, 72)]
    assert scene.world.look(scene.hello).workflow.status is WorkflowStatus.COMPLETED


def test_a_flood_of_news_about_another_commits_nothing_and_keeps_nobody_from_being_heard() -> None:
    scene = Scene()
    before = scene.everything()
    refused: Counter[str] = Counter()
    for number in range(200):
        numbers = range(number * NEWS_EVENTS + 1, (number + 1) * NEWS_EVENTS + 1)
        pod = scene.pod()
        told = frame("news", boot_id="e", events=[{"seq": seq, "pod": pod} for seq in numbers])
        refused += scene.attack(told).refused
    flooded = scene.everything()

    scene.world.exit(scene.hello, "hello", 0)
    scene.world.settle()

    assert refused == {"not_yours": 200 * NEWS_EVENTS}
    assert flooded == before
    assert scene.world.look(scene.hello).workflow.status is WorkflowStatus.COMPLETED


# Its own -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"task": "nobody"}, "invalid"),
        ({"retry": 7}, "invalid"),
        ({"status": "WAITING"}, "invalid"),
    ],
)
def test_a_status_for_what_is_not_there_is_rejected_to_its_own_operator(
    fields: dict[str, Any], code: str
) -> None:
    scene = Scene()
    before = scene.everything()

    outcome = scene.attack(
        scene.told(seq=5, **fields), backend=BACKEND, connection=ConnectionId("connection-1")
    )

    assert [(answer.seq, answer.code) for answer in outcome.answers] == [(5, code)]
    assert outcome.refused == {code: 1}
    assert scene.everything() == before


def test_replayed_events_are_acknowledged_as_stale_and_any_number_for_itself_alone() -> None:
    scene = Scene()
    scene.world.exit(scene.hello, "hello", 3)
    scene.world.settle()
    before = scene.everything()

    for seq in (1, 2, 4_000_000_000_000):
        running = scene.told(seq=seq, status="RUNNING", exit_code=None)
        outcome = scene.attack(running, backend=BACKEND, connection=ConnectionId("connection-1"))
        assert [answer.ranges for answer in outcome.answers] == [[(seq, seq)]]

    assert scene.world.task(scene.hello, "hello").exit_code == 3
    assert scene.everything() == before


# Old epochs --------------------------------------------------------------------------------------


def a_hello(boot: str, cluster: str = "uid") -> agent.Hello:
    return agent.Hello(backend=BACKEND, cluster_uid=cluster, boot_id=boot, version="1")


def test_the_frames_of_an_old_epoch_are_dropped_unanswered() -> None:
    scene = Scene()
    old, new = ConnectionId("connection-1"), ConnectionId("connection-2")
    scene.attack(a_hello("boot-2"), backend=BACKEND, connection=new)
    before = scene.everything()

    outcome = scene.attack(scene.told(), backend=BACKEND, connection=old)

    assert outcome.refused == {"dropped": 1}
    assert outcome.answers == ()
    assert scene.everything() == before


def test_the_connection_before_is_heard_until_it_has_a_second_successor() -> None:
    scene = Scene()
    first, second, third = (ConnectionId(f"connection-{n}") for n in (1, 2, 3))
    scene.attack(a_hello(BOOT), backend=BACKEND, connection=second)
    heard = scene.attack(scene.told(seq=8), backend=BACKEND, connection=first)
    scene.attack(a_hello(BOOT), backend=BACKEND, connection=third)
    dropped = scene.attack(scene.told(seq=9), backend=BACKEND, connection=first)

    assert isinstance(heard.answers[0], agent.Ack)
    assert dropped.refused == {"dropped": 1}


def test_news_of_another_cluster_with_this_backends_credential_is_dropped() -> None:
    """Its hello is refused; who goes on all the same is not heard."""
    scene = Scene()
    stolen = ConnectionId("evil-2")
    refused = scene.attack(a_hello("evil", cluster="other"), backend=BACKEND, connection=stolen)
    before = scene.everything()

    outcome = scene.attack(scene.told(), backend=BACKEND, connection=stolen)

    assert refused.codes == ["other_cluster"]
    assert outcome.refused == {"dropped": 1}
    assert scene.everything() == before
