"""Objects of group templates: of any kind, made once, gone with the last group that has them."""

import pytest

from operators.backend_worker.apply import Answer, perform_cleanup, perform_create
from operators.shared.calls import Call, Create, Delete, Read, Replace
from operators.shared.release import remove_anchor
from operators.shared.resources import CONFIG_MAP, Json, Kind, NotFound, Unreachable
from tests.fakes.kube import FakeKube, Stepper, run
from tests.unit.operators.jobs import a_cleanup, a_create, a_pod, in_office, the_anchor
from xylem.manifests.names import FROM_TEMPLATE
from xylem.protocol.agent import Job

DONE = Answer("done")
DOMAINS = Kind("resource.nvidia.com/v1beta1", "ComputeDomain", "computedomains")


def a_domain(name: str = "shared") -> Json:
    return {
        "apiVersion": DOMAINS.api_version,
        "kind": DOMAINS.name,
        "metadata": {"name": name, "annotations": {FROM_TEMPLATE: "true"}},
        "spec": {"numNodes": 2},
    }


def a_cluster() -> FakeKube:
    kube = FakeKube()
    kube.installed[DOMAINS.api_version, DOMAINS.name] = DOMAINS
    return kube


def create(incarnation: int = 1, domain: Json | None = None) -> Job:
    pod = a_pod(incarnation=incarnation)
    return a_create(domain or a_domain(), pod, incarnation=incarnation)


def cleanup(incarnation: int = 1) -> Job:
    return a_cleanup(incarnation=incarnation, force=True)


def owners(kube: FakeKube) -> list[str]:
    found = kube.read(DOMAINS, "shared")["metadata"]["ownerReferences"]
    return [one["uid"] for one in found]


def is_there(kube: FakeKube) -> bool:
    return ("ComputeDomain", "shared") in kube.objects


def test_it_is_made_with_its_group_and_goes_with_it() -> None:
    kube = a_cluster()

    assert run(kube, perform_create(create(), in_office(kube))) == DONE
    assert kube.read(DOMAINS, "shared")["spec"] == {"numNodes": 2}
    assert owners(kube) == [the_anchor(kube).uid]

    assert run(kube, perform_cleanup(cleanup())) == DONE
    assert not is_there(kube)


def test_two_groups_share_it_and_it_goes_with_the_last_one() -> None:
    kube = a_cluster()
    tenure = in_office(kube)
    run(kube, perform_create(create(1), tenure))
    run(kube, perform_create(create(2), tenure))
    assert owners(kube) == [the_anchor(kube, 1).uid, the_anchor(kube, 2).uid]

    run(kube, perform_cleanup(cleanup(1)))
    assert owners(kube) == [the_anchor(kube, 2).uid]

    run(kube, perform_cleanup(cleanup(2)))
    assert not is_there(kube)


def test_each_job_may_come_twice() -> None:
    kube = a_cluster()
    tenure = in_office(kube)
    for _ in range(2):
        assert run(kube, perform_create(create(), tenure)) == DONE
    assert len(owners(kube)) == 1
    for _ in range(2):
        assert run(kube, perform_cleanup(cleanup())) == DONE
    assert not is_there(kube)


def test_a_create_or_a_cleanup_that_stops_anywhere_is_done_when_it_begins_again() -> None:
    for steps in range(1, 40):
        kube = a_cluster()
        tenure = in_office(kube)
        stopped = Stepper(kube, perform_create(create(), tenure))
        for _ in range(steps):
            if not stopped.ended:
                stopped.step()
        assert run(kube, perform_create(create(), tenure)) == DONE
        assert owners(kube) == [the_anchor(kube).uid]
        stopped_cleanup = Stepper(kube, perform_cleanup(cleanup()))
        for _ in range(steps):
            if not stopped_cleanup.ended:
                stopped_cleanup.step()
        assert run(kube, perform_cleanup(cleanup())) == DONE
        assert not is_there(kube)


def test_a_create_whose_answer_is_lost_finds_what_it_made() -> None:
    kube = a_cluster()
    tenure = in_office(kube)
    lost = Stepper(kube, perform_create(create(), tenure))
    lost.until(lambda call: isinstance(call, Create) and call.kind is DOMAINS)
    with pytest.raises(Unreachable):
        lost.step("lost")

    assert run(kube, perform_create(create(), tenure)) == DONE
    assert len(owners(kube)) == 1


def joins(call: Call) -> bool:
    return isinstance(call, Replace) and call.kind is DOMAINS


def deletes(call: Call) -> bool:
    return isinstance(call, Delete) and call.kind is DOMAINS


def test_a_group_that_joins_while_the_last_one_leaves_keeps_it() -> None:
    kube = a_cluster()
    tenure = in_office(kube)
    run(kube, perform_create(create(1), tenure))
    leaving = Stepper(kube, perform_cleanup(cleanup(1))).until(deletes)

    run(kube, perform_create(create(2), tenure))

    assert leaving.run() == DONE
    assert owners(kube) == [the_anchor(kube, 2).uid]


def test_a_group_that_joins_what_the_last_one_has_just_deleted_begins_again() -> None:
    kube = a_cluster()
    tenure = in_office(kube)
    run(kube, perform_create(create(1), tenure))
    joining = Stepper(kube, perform_create(create(2), tenure)).until(joins)
    run(kube, perform_cleanup(cleanup(1)))

    with pytest.raises(Unreachable, match="went away"):
        joining.run()

    assert run(kube, perform_create(create(2), tenure)) == DONE
    assert owners(kube) == [the_anchor(kube, 2).uid]


def test_what_is_still_being_deleted_is_waited_for() -> None:
    kube = a_cluster()
    tenure = in_office(kube)
    run(kube, perform_create(create(1), tenure))
    kube.objects["ComputeDomain", "shared"]["metadata"]["finalizers"] = ["somebody/else"]
    run(kube, perform_cleanup(cleanup(1)))

    with pytest.raises(Unreachable, match="still being deleted"):
        run(kube, perform_create(create(2), tenure))


def test_an_object_that_somebody_else_made_serves_and_stays() -> None:
    kube = a_cluster()
    theirs = a_domain()
    del theirs["metadata"]["annotations"]
    kube.create(DOMAINS, theirs)

    run(kube, perform_create(create(), in_office(kube)))
    run(kube, perform_cleanup(cleanup()))

    assert is_there(kube)
    assert "ownerReferences" not in kube.read(DOMAINS, "shared")["metadata"]


def test_a_config_map_of_a_template_may_be_shared_too() -> None:
    kube = FakeKube()
    tenure = in_office(kube)
    shared = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "annotations": {FROM_TEMPLATE: "true"}},
    }
    run(kube, perform_create(create(1, shared), tenure))
    run(kube, perform_create(create(2, shared), tenure))

    run(kube, perform_cleanup(cleanup(1)))

    assert kube.read(CONFIG_MAP, "x")


def test_a_kind_that_the_cluster_does_not_know_fails_the_create_in_words() -> None:
    kube = FakeKube()

    outcome = run(kube, perform_create(create(), in_office(kube)))

    assert isinstance(outcome, Answer)
    assert outcome.status == "failed"
    assert "knows no ComputeDomain of resource.nvidia.com/v1beta1" in outcome.message
    assert not kube.pods()


def test_a_kind_of_the_whole_cluster_is_refused() -> None:
    kube = a_cluster()
    wide = Kind(DOMAINS.api_version, DOMAINS.name, DOMAINS.plural, namespaced=False)
    kube.installed[DOMAINS.api_version, DOMAINS.name] = wide

    outcome = run(kube, perform_create(create(), in_office(kube)))

    assert isinstance(outcome, Answer)
    assert "belongs to the whole cluster" in outcome.message


def test_a_cleanup_ends_when_the_kind_is_gone_or_may_not_be_asked_for() -> None:
    kube = a_cluster()
    run(kube, perform_create(create(), in_office(kube)))
    kube.installed.clear()

    assert run(kube, perform_cleanup(cleanup())) == DONE


def test_what_no_cleanup_took_is_collected_after_the_anchor() -> None:
    kube = a_cluster()
    run(kube, perform_create(create(), in_office(kube)))
    anchor = the_anchor(kube)
    stopped = Stepper(kube, perform_cleanup(cleanup()))
    stopped.until(lambda call: isinstance(call, Read) and call.kind is DOMAINS)
    closed = kube.replace(CONFIG_MAP, the_anchor(kube).in_state("closed").body)
    assert closed["data"]["templated"]

    run(kube, remove_anchor(anchor))
    with pytest.raises(NotFound):
        the_anchor(kube)
    kube.collect_garbage()

    assert not is_there(kube)
