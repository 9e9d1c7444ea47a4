"""The store's side of a transfer: bytes to and from URLs that the service signed.

Nothing of the service's goes along, no token and no cookie. What fails is tried again in rounds,
each with fresh URLs, because one may have ended meanwhile.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx

from clients.sdk.errors import ClientError, Unreachable

T = TypeVar("T")

ROUNDS = 8
LONGEST_PAUSE = 30.0
THREADS = 20
"""OSMO's default."""

_TIMEOUT = httpx.Timeout(120, connect=10)


class TryAgain(Exception):
    """What may work in the next round, with another URL. Says why it did not."""


class Changed(ClientError):
    """A file was changed while it was sent."""


class Progress:
    """Told of bytes that were moved, or need not be."""

    def __init__(self, tell: Callable[[int], None] = lambda size: None) -> None:
        self.tell = tell


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transfer came to: `sent` of `size` bytes, the rest was there."""

    files: int
    size: int
    sent: int


class StoreHttp:
    """Use it as a context manager."""

    def __init__(
        self,
        *,
        transport: httpx.BaseTransport | None = None,
        threads: int = THREADS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        limits = httpx.Limits(max_connections=threads, max_keepalive_connections=threads)
        self._http = httpx.Client(
            transport=transport, timeout=_TIMEOUT, limits=limits, follow_redirects=True
        )
        self._pool = ThreadPoolExecutor(threads)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    def put(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """What is there already is as good as sent. Raises `TryAgain`, `Changed`."""
        answer = self._exchange("PUT", url, content=body, headers=dict(headers or {}))
        if answer.status_code == 400 and b"BadDigest" in answer.content:
            raise Changed("it was changed while it was uploaded")
        if answer.status_code not in (200, 201, 204, 412):
            raise TryAgain(_said(answer))

    def get(self, url: str, into: Path, take: Callable[[bytes], None]) -> int:
        """Write what comes, and hand it over. The bytes that came. Raises `TryAgain`."""
        size = 0
        try:
            with self._http.stream("GET", url) as answer, into.open("wb") as file:
                if answer.status_code != 200:
                    answer.read()
                    raise TryAgain(_said(answer))
                for chunk in answer.iter_raw():
                    file.write(chunk)
                    take(chunk)
                    size += len(chunk)
        except httpx.TransportError as error:
            raise TryAgain(str(error) or type(error).__name__) from None
        return size

    def head(self, url: str) -> httpx.Response:
        """Raises `TryAgain`."""
        answer = self._exchange("HEAD", url)
        if answer.status_code != 200:
            raise TryAgain(_said(answer))
        return answer

    def each(self, work: Callable[[T], None], items: Sequence[T]) -> dict[int, str]:
        """Many at once. By position: why those failed that may work again. Raises the first that
        will not."""
        failed: dict[int, str] = {}
        stop: list[BaseException] = []

        def one(number: int) -> None:
            if stop:
                return
            try:
                work(items[number])
            except TryAgain as error:
                failed[number] = str(error)
            except BaseException as error:
                stop.append(error)
                raise

        futures = [self._pool.submit(one, number) for number in range(len(items))]
        for future in futures:
            future.exception()
        if stop:
            raise stop[0]
        return failed

    def map(self, work: Callable[[T], object], items: Iterable[T]) -> list[object]:
        return list(self._pool.map(work, items))

    def rounds(self, step: Callable[[], dict[int, str]], url: str) -> None:
        """`step` until it fails in nothing. Raises `Unreachable`."""
        why = ""
        for number in range(ROUNDS):
            failed = step()
            if not failed:
                return
            why = next(iter(failed.values()))
            if number < ROUNDS - 1:
                self.pause(number)
        raise Unreachable(url, f"{why} ({ROUNDS} attempts)")

    def pause(self, failures: int) -> None:
        """With full jitter, longer each time."""
        self._sleep(random.random() * min(LONGEST_PAUSE, 2**failures))

    def _exchange(self, method: str, url: str, **more: object) -> httpx.Response:
        try:
            return self._http.request(method, url, **more)  # type: ignore[arg-type]
        except httpx.TransportError as error:
            raise TryAgain(str(error) or type(error).__name__) from None


def host_of(url: str) -> str:
    """A URL that was signed is a secret; its host is none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _said(answer: httpx.Response) -> str:
    return f"the store answered {answer.status_code}"
