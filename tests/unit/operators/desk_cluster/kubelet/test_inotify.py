"""Who waits for a file is called when it changes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from operators.desk_cluster.kubelet.inotify import MODIFIED, MOVED_TO, Inotify

QUEUE = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


def with_inotify(story: Callable[[Inotify], Awaitable[None]]) -> None:
    async def told() -> None:
        inotify = Inotify()
        async with asyncio.timeout(20):
            await story(inotify)
        inotify.close()

    asyncio.run(told())


def moved_into(folder: Path, name: str) -> None:
    temporary = folder / f".{name}"
    temporary.touch()
    temporary.rename(folder / name)


def test_a_file_that_is_moved_into_a_folder_is_news(tmp_path: Path) -> None:
    async def story(inotify: Inotify) -> None:
        news = asyncio.Event()
        inotify.watch(tmp_path, MOVED_TO, news.set)

        moved_into(tmp_path, "ended")

        await news.wait()

    with_inotify(story)


def test_everybody_who_watches_the_same_file_is_called_until_he_leaves(tmp_path: Path) -> None:
    async def story(inotify: Inotify) -> None:
        (file := tmp_path / "log").touch()
        first, second = asyncio.Event(), asyncio.Event()
        leave = inotify.watch(file, MODIFIED, first.set)
        inotify.watch(file, MODIFIED, second.set)

        file.write_text("a")
        await first.wait()
        await second.wait()
        first.clear()
        second.clear()
        leave()
        file.write_text("b")

        await second.wait()
        assert not first.is_set()

    with_inotify(story)


def test_the_end_of_a_folder_is_news(tmp_path: Path) -> None:
    async def story(inotify: Inotify) -> None:
        (folder := tmp_path / "attempt").mkdir()
        news = asyncio.Event()
        inotify.watch(folder, MOVED_TO, news.set)

        folder.rmdir()

        await news.wait()

    with_inotify(story)


def test_everybody_is_called_when_the_kernel_could_not_keep_up(tmp_path: Path) -> None:
    """It drops what comes while its queue is full; what was dropped may have been an exit."""

    async def story(inotify: Inotify) -> None:
        (quiet := tmp_path / "quiet").mkdir()
        noisy = [tmp_path / "one", tmp_path / "two"]
        news = asyncio.Event()
        for file in noisy:
            file.touch()
            inotify.watch(file, MODIFIED, lambda: None)
        inotify.watch(quiet, MOVED_TO, news.set)
        with noisy[0].open("wb", 0) as one, noisy[1].open("wb", 0) as two:
            for _ in range(QUEUE // 2 + 1):
                one.write(b"x")
                two.write(b"x")
            moved_into(quiet, "ended")

        await news.wait()

    with_inotify(story)
