"""The Logger's routes under `/runtime/`: one token for all threads, and patience."""

import json
from collections.abc import Callable
from threading import Barrier, Thread

import pytest

from operators.shared.patience import (
    FIRST_BACKOFF_SECONDS,
    LONGEST_BACKOFF_SECONDS,
    Stopped,
    backoff,
)
from operators.task_runtime.api import JSON, Api, Over, Refusal, Reply, Token, Unreachable
from tests.unit.operators.task_runtime.patience import Patience
from tests.unit.operators.task_runtime.services import (
    FIRST_TOKEN,
    FORGET_TO_ANSWER,
    HANG_UP,
    Answer,
    Services,
)

BARRIER = "/api/runtime/barrier"
RENEWAL = "/api/runtime/token"
OPEN = {"open": True, "restarts": 0}


def test_a_good_answer_is_what_it_says(api: Api, services: Services) -> None:
    assert api.insist("/runtime/barrier", {}) == OPEN
    assert services.asked[0].token == FIRST_TOKEN
    assert services.asked[0].path == BARRIER


@pytest.mark.parametrize(
    "trouble",
    [
        HANG_UP,
        FORGET_TO_ANSWER,
        Answer(500),
        Answer(503, b'{"message": "later"}'),
        Answer(408),
        Answer(429),
        Answer(200, b"<html>a page of a proxy</html>"),
        Answer(200, b'{"open": true}', cut=True),
    ],
)
def test_who_insists_asks_again_until_there_is_an_answer(
    api: Api, services: Services, patience: Patience, trouble: Answer
) -> None:
    services.next("POST", BARRIER, trouble, trouble, trouble)

    assert api.insist("/runtime/barrier", {}) == OPEN
    assert services.paths("POST") == [BARRIER] * 4
    assert len(patience.waited) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422])
def test_a_no_is_not_asked_again(api: Api, services: Services, status: int) -> None:
    services.next("POST", BARRIER, Answer(status, b'{"message": "It must not be."}'))

    with pytest.raises(Refusal, match=r"It must not be\.") as refused:
        api.insist("/runtime/barrier", {})

    assert refused.value.status == status
    assert services.paths("POST") == [BARRIER]


def test_a_no_without_words_is_called_by_its_number(api: Api, services: Services) -> None:
    services.next("POST", BARRIER, Answer(404), Answer(404, b"[]"))

    for _ in range(2):
        with pytest.raises(Refusal, match="404"):
            api.insist("/runtime/barrier", {})


def test_patience_ends_with_the_pod(services: Services) -> None:
    api = Api(f"{services.url}/api", Token(FIRST_TOKEN), Patience(lasts=2))
    services.next("POST", BARRIER, *[HANG_UP] * 10)

    with pytest.raises(Stopped):
        api.insist("/runtime/barrier", {})

    assert services.paths("POST") == [BARRIER] * 3


def test_one_try_is_one_try(api: Api, services: Services) -> None:
    services.next("POST", BARRIER, Answer(503))

    with pytest.raises(Unreachable, match="503"):
        api.send("/runtime/barrier", b"{}", JSON)

    assert services.paths("POST") == [BARRIER]


def test_an_answer_that_is_no_object_is_taken_as_an_empty_one(api: Api, services: Services) -> None:
    services.next("POST", BARRIER, Answer(200), Answer(200, b"[1]"))

    assert api.send("/runtime/barrier", b"{}", JSON) == Reply(200, {})
    assert api.send("/runtime/barrier", b"{}", JSON) == Reply(200, {})


# The token ----------------------------------------------------------------------------------------


def test_an_expired_token_is_exchanged_and_the_request_said_again(
    api: Api, services: Services
) -> None:
    services.expire_token()

    assert api.insist("/runtime/barrier", {}) == OPEN
    assert services.paths("POST") == [BARRIER, RENEWAL, BARRIER]
    assert [asked.token for asked in services.asked] == [FIRST_TOKEN, FIRST_TOKEN, services.token]
    assert api.token.value == services.token


def test_the_new_token_is_used_from_then_on(api: Api, services: Services) -> None:
    services.expire_token()
    api.insist("/runtime/barrier", {})

    api.insist("/runtime/barrier", {})

    assert services.paths("POST").count(RENEWAL) == 1


def test_threads_that_find_the_token_expired_at_once_exchange_it_once(services: Services) -> None:
    threads = 6
    token = Token(FIRST_TOKEN)
    together = Barrier(threads)
    answers: list[object] = []

    def ask() -> None:
        api = Api(f"{services.url}/api", token, Patience())
        together.wait()
        answers.append(api.insist("/runtime/barrier", {}))

    services.expire_token()
    run_all([ask] * threads)

    assert answers == [OPEN] * threads
    assert services.paths("POST").count(RENEWAL) == 1
    assert token.value == services.token


def run_all(works: list[Callable[[], None]]) -> None:
    running = [Thread(target=work) for work in works]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def test_a_token_that_is_not_renewed_any_more_ends_all(api: Api, services: Services) -> None:
    services.expire_token()
    services.gives_tokens = False

    with pytest.raises(Over, match=r"The attempt is over\."):
        api.insist("/runtime/barrier", {})


@pytest.mark.parametrize("trouble", [HANG_UP, FORGET_TO_ANSWER, Answer(500)])
def test_an_outage_while_the_token_is_exchanged_ends_nothing(
    api: Api, services: Services, trouble: Answer
) -> None:
    services.expire_token()
    services.next("POST", RENEWAL, trouble)

    assert api.insist("/runtime/barrier", {}) == OPEN
    assert services.paths("POST").count(RENEWAL) == 2


def test_a_token_that_expires_again_and_again_is_a_no(api: Api, services: Services) -> None:
    services.next("POST", BARRIER, *[Answer(401, b'{"message": "Not you."}')] * 2)

    with pytest.raises(Refusal, match=r"Not you\."):
        api.insist("/runtime/barrier", {})


# Words and waits ----------------------------------------------------------------------------------


def test_what_is_asked_is_json_below_the_path_of_the_url(services: Services) -> None:
    for base in (f"{services.url}/api", f"{services.url}/api/"):
        api = Api(base, Token(FIRST_TOKEN), Patience())
        services.inputs = [[]]
        api.insist("/runtime/inputs", {"index": 0, "cursor": None})

    assert {asked.path for asked in services.asked} == {"/api/runtime/inputs"}
    assert json.loads(services.asked[0].body) == {"index": 0, "cursor": None}


def test_the_back_off_doubles_up_to_half_a_minute_and_is_spread_over_all_of_it() -> None:
    for tries in range(40):
        most = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2**tries)
        waits = [backoff(tries) for _ in range(200)]

        assert all(0 <= wait <= most for wait in waits)
        assert min(waits) < most * 0.2
        assert max(waits) > most * 0.8


def test_the_back_off_of_a_very_long_outage_is_a_number() -> None:
    assert 0 <= backoff(10_000) <= LONGEST_BACKOFF_SECONDS
