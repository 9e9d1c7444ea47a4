"""What threads deliver arrives in order, all of it, and not faster than it is taken."""

import asyncio
import threading

import pytest

from operators.shared.inbox import AT_ONCE, Inbox

SECONDS = 10


async def delivered(count: int, room: int = 200, weight: int = 1) -> list[int]:
    taken: list[int] = []
    done = asyncio.Event()

    def take(item: int) -> None:
        taken.append(item)
        if len(taken) == count:
            done.set()

    inbox = Inbox(asyncio.get_running_loop(), take, room)

    def deliver() -> None:
        for number in range(count):
            inbox.put(number, weight)

    thread = threading.Thread(target=deliver)
    thread.start()
    async with asyncio.timeout(SECONDS):
        await done.wait()
    await asyncio.to_thread(thread.join)
    return taken


@pytest.mark.parametrize(("room", "weight"), [(200, 1), (1, 1), (10, 250)])
def test_everything_arrives_in_order(room: int, weight: int) -> None:
    count = 5 * AT_ONCE
    assert asyncio.run(delivered(count, room, weight)) == list(range(count))


def test_who_delivers_too_much_waits_until_something_was_taken() -> None:
    async def story() -> None:
        taken: list[int] = []
        done = asyncio.Event()

        def take(item: int) -> None:
            taken.append(item)
            if len(taken) == 3:
                done.set()

        inbox = Inbox(asyncio.get_running_loop(), take, room=2)
        put = threading.Semaphore(0)

        def deliver() -> None:
            for number in range(3):
                inbox.put(number)
                put.release()

        thread = threading.Thread(target=deliver)
        thread.start()
        assert put.acquire(timeout=SECONDS) and put.acquire(timeout=SECONDS)
        assert not put.acquire(timeout=0.05)  # the loop is here, and takes nothing
        await asyncio.to_thread(thread.join)
        async with asyncio.timeout(SECONDS):
            await done.wait()
        assert taken == [0, 1, 2]

    asyncio.run(story())


def test_one_that_is_not_understood_hides_none_of_the_others() -> None:
    async def story() -> list[int]:
        taken: list[int] = []
        done = asyncio.Event()

        def take(item: int) -> None:
            if item == 1:
                raise ValueError("odd")
            taken.append(item)
            if item == 2:
                done.set()

        inbox = Inbox(asyncio.get_running_loop(), take, room=2)
        for number in range(3):
            await asyncio.to_thread(inbox.put, number)
        async with asyncio.timeout(SECONDS):
            await done.wait()
        return taken

    assert asyncio.run(story()) == [0, 2]
