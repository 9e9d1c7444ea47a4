"""One HTTP/1.1 exchange at a time over one connection that is kept.

As much of RFC 9112 as API Gateway, S3 and their likes speak with a client that always says how long
its bodies are: answers with a length, in chunks, or until the connection ends. No redirects, no
trailers, no pipelining. `http.client` does more and costs a third of the sidecar's budget.
"""

import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from io import BufferedReader

PIECE = 256 * 1024
MOST_HEADERS = 100
LONGEST_LINE = 64 * 1024
LONGEST_BODY = 8 * 1024 * 1024
"""Of an answer that is kept in memory; none of the Logger's comes near."""


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def seek(self, place: int, /) -> Any: ...


class Sink(Protocol):
    def write(self, piece: bytes, /) -> Any: ...


class ExchangeFailed(Exception):
    """No answer, or none that can be understood. The request may have been carried out."""


class LocalFailed(Exception):
    """The file that an answer goes into, or a body comes from, cannot be used."""


class Answer(NamedTuple):
    """`body` is empty where the caller gave a file for it; `size` counts it all the same."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int


class Address(NamedTuple):
    tls: bool
    host: str
    port: int


def split(url: str) -> tuple[Address, str]:
    """The server and the target (path and query) of a URL. Raises `ValueError`."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https"):
        raise ValueError(f"not an http(s) URL: {scheme[:20]}")
    authority, slash, target = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    tls = scheme == "https"
    number = int(port) if port else (443 if tls else 80)
    return Address(tls, host.strip("[]"), number), slash + target or "/"


class Connection:
    """To one server. Not for several threads at once."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._reader: BufferedReader | None = None

    def exchange(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Source = b"",
        length: int | None = None,
        into: Sink | None = None,
        timeout: float,
    ) -> Answer:
        """`length` is needed for a body that is a file. A successful answer's body goes `into` the
        file given. `timeout` is for each wait. Raises `ExchangeFailed`, `LocalFailed`."""
        kept = self._socket is not None
        while True:
            try:
                self._open(timeout)
                self._send(method, target, headers, body, length)
                return self._answer(into)
            except _Stale as error:
                self.close()
                if not kept:
                    raise ExchangeFailed(str(error)) from error
                kept = False
                if not isinstance(body, bytes):
                    body.seek(0)
            except (OSError, ValueError) as error:
                self.close()
                raise ExchangeFailed(f"{type(error).__name__}: {error}") from error
            except (ExchangeFailed, LocalFailed):
                self.close()
                raise

    def close(self) -> None:
        for part in (self._reader, self._socket):
            if part is not None:
                part.close()
        self._reader = self._socket = None

    def _open(self, timeout: float) -> None:
        if self._socket is None:
            place = (self._address.host, self._address.port)
            opened = socket.create_connection(place, timeout)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = _tls(opened, self._address.host) if self._address.tls else opened
            self._reader = self._socket.makefile("rb")
        self._socket.settimeout(timeout)

    def _send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Source,
        length: int | None,
    ) -> None:
        size = len(body) if isinstance(body, bytes) else length
        lines = [f"{method} {target} HTTP/1.1", f"Host: {_host(self._address)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {size}", "", ""]
        head = "\r\n".join(lines).encode("ascii")
        assert self._socket is not None
        try:
            if isinstance(body, bytes):
                self._socket.sendall(head + body)
                return
            self._socket.sendall(head)
            left = size or 0
            while left:
                piece = _read(body, min(PIECE, left))
                self._socket.sendall(piece)
                left -= len(piece)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _Stale("the server closed the connection") from error

    def _answer(self, into: Sink | None) -> Answer:
        status, headers = self._head()
        while 100 <= status < 200:
            status, headers = self._head()
        wanted = into if into is not None and status in (200, 206) else None
        kept = bytearray()
        size = 0
        for piece in self._body(status, headers):
            size += len(piece)
            if wanted is not None:
                _write(wanted, piece)
            elif size > LONGEST_BODY:
                raise ExchangeFailed(f"the answer is longer than {LONGEST_BODY} bytes")
            else:
                kept += piece
        if headers.get("connection", "").lower() == "close" or not _delimited(headers, status):
            self.close()
        return Answer(status, headers, bytes(kept), size)

    def _head(self) -> tuple[int, dict[str, str]]:
        assert self._reader is not None
        try:
            first = self._reader.readline(LONGEST_LINE)
        except ConnectionResetError as error:
            raise _Stale("the server closed the connection") from error
        if not first:
            raise _Stale("the server closed the connection")
        version, _, rest = first.partition(b" ")
        if not version.startswith(b"HTTP/1."):
            raise ExchangeFailed("the answer is not HTTP/1")
        headers: dict[str, str] = {}
        for _ in range(MOST_HEADERS):
            line = self._line()
            if not line:
                return int(rest[:3]), headers
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        raise ExchangeFailed(f"the answer has more than {MOST_HEADERS} headers")

    def _body(self, status: int, headers: Mapping[str, str]) -> Iterator[bytes]:
        if status in (204, 304):
            return
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self._line().partition(";")[0], 16):
                yield from self._exactly(size)
                self._line()
            while self._line():
                pass
        elif "content-length" in headers:
            yield from self._exactly(int(headers["content-length"]))
        else:
            assert self._reader is not None
            while piece := self._reader.read(PIECE):
                yield piece

    def _exactly(self, size: int) -> Iterator[bytes]:
        assert self._reader is not None
        while size:
            piece = self._reader.read(min(PIECE, size))
            if not piece:
                raise ExchangeFailed("the answer was cut short")
            size -= len(piece)
            yield piece

    def _line(self) -> str:
        assert self._reader is not None
        line = self._reader.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise ExchangeFailed("the answer was cut short")
        return line.rstrip(b"\r\n").decode("latin-1")


class _Stale(Exception):
    """A kept connection that the server has closed: nothing was answered, say it on a new one. All
    our requests may be said twice."""


def _read(file: Source, size: int) -> bytes:
    try:
        piece = file.read(size)
    except OSError as error:
        raise LocalFailed(str(error)) from error
    if not piece:
        raise LocalFailed("the file became shorter while it was sent")
    return piece


def _write(file: Sink, piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise LocalFailed(str(error)) from error


def _delimited(headers: Mapping[str, str], status: int) -> bool:
    return status in (204, 304) or "content-length" in headers or "transfer-encoding" in headers


def _host(address: Address) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    default = 443 if address.tls else 80
    return host if address.port == default else f"{host}:{address.port}"


def _tls(plain: socket.socket, host: str) -> Any:
    import ssl  # noqa: PLC0415  -- 10 ms that a plain connection need not pay

    return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
