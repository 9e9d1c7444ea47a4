"""What a task prints is stored without the secrets that it was given.

A secret is looked for as it is and as it is often printed: base64 at each of its three alignments,
in both alphabets; URL-encoded; escaped for JSON. It may lie across records and batches: each stream
is read as one text.

`Masker.mask` takes whole records of the spool from an offset where no secret is open, and answers
with what can be decided: masked records, and how many raw bytes they stand for. What may be the
beginning of a secret is not decided, nor is any record behind it, so the next batch begins where
again no secret is open, and whoever knows the spool alone (a sidecar that was started again) goes
on from there. Offsets and lengths stay those of the spool; the masked text is of another length.

Waiting has an end (`release`): of an undecided beginning up to `SHOWN_BYTES` are shown, a longer
one is masked, whether or not it was one. What the streams were left with comes back as `open`;
given `before` the next batch, the rest of the secret is masked as well.

A secret of fewer than `LEAST_CHARS` characters is not looked for: it would be found everywhere.
White space around a secret is not part of it: files end in a newline that nobody prints.

Not found: what the task changed otherwise (reversed, encrypted, base64 broken into lines, base64
of base64).

The standard library only: the sidecar has 100 ms of CPU for all of its start. Measured against an
alternation of the same words in `re`, `bytes.find` for each is several times as fast, and finds
words that overlap.
"""

import json
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from xylem.protocol.spool import HEADER, RECORD_BYTES, Record, Stream, decode, encode

MASK = b"[MASKED]"
"""OSMO's word."""

LEAST_CHARS = 8
"""OSMO's bound, too; shorter ones are words of every log."""

SHOWN_BYTES = 3

Open = Mapping[Stream, bytes]
Span = tuple[int, int]

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""https://www.rfc-editor.org/rfc/rfc3986#section-2.3"""

_URL_STYLES = (b"", b"/", b"!'()*", b"*")
"""What encoders leave alone beside it: none by the RFC, `/` as in paths, JavaScript's
`encodeURIComponent`, and forms (https://url.spec.whatwg.org/#urlencoded-serializing)."""


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
"""https://www.rfc-editor.org/rfc/rfc4648#section-5"""

_LONG_ENOUGH = 8
"""Bytes of a form that are hardly anywhere by chance."""


def maskable(secret: str) -> bool:
    return len(secret.strip()) >= LEAST_CHARS


def forms(secret: str) -> frozenset[bytes]:
    """All that a secret is looked for as."""
    text = secret.strip()
    raw = text.encode("utf-8", "surrogatepass")
    return frozenset({raw, *_base64(raw), *_url(raw), *_json(text)})


class Masked(NamedTuple):
    """`body`: whole records, which stand for `length` raw bytes of whole records. `open`: what the
    streams end with that may be the beginning of a secret; empty unless it was released."""

    body: bytes
    length: int
    open: Open


class Masker:
    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = sorted({form for one in secrets if maskable(one) for form in forms(one)})

    def mask(self, raw: bytes, *, before: Open | None = None, release: bool = False) -> Masked:
        """`raw`: whole records. `before`: the `open` that was answered for what lies before it.
        Nothing is kept back with `release`. Raises `ValueError` for what is no record."""
        if not self._forms:
            return Masked(raw, len(raw), {})
        batch = _Batch(raw, before or {})
        found = {stream: self._spans(text) for stream, text in batch.texts.items()}
        tails = {stream: self._tail(text) for stream, text in batch.texts.items()}
        end = len(batch.records)
        if release:
            for stream, start in tails.items():
                reached = len(batch.texts[stream])
                if reached - start > SHOWN_BYTES:
                    found[stream] = _merged([*found[stream], (start, reached)])
        else:
            end = batch.decided(found, tails)
        length = batch.starts[end]
        texts = batch.texts.items()
        left = {stream: text[tails[stream] :] for stream, text in texts} if release else {}
        # A stream that says nothing in this batch is still where it was.
        left |= {
            stream: text for stream, text in (before or {}).items() if batch.silent(stream, end)
        }
        still_open = {stream: tail for stream, tail in left.items() if tail}
        if not any(found.values()):
            return Masked(raw[:length], length, still_open)
        return Masked(batch.masked(found, end), length, still_open)

    def complete(self, raw: bytes) -> bytes:
        """Records without the secrets that lie in them whole. Raises `ValueError`."""
        if not self._forms:
            return raw
        batch = _Batch(raw, {})
        found = {stream: self._spans(text) for stream, text in batch.texts.items()}
        return batch.masked(found, len(batch.records)) if any(found.values()) else raw

    def _spans(self, text: bytes) -> list[Span]:
        """Where there are secrets, by position; such as overlap are one."""
        spans = []
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                spans.append((at, at + len(form)))
                at = text.find(form, at + 1)
        return _merged(spans)

    def _tail(self, text: bytes) -> int:
        """Where the first secret begins that is not at its end when the text is."""
        return min((_beginning(form, text) for form in self._forms), default=len(text))


class _Batch:
    """Records, and each stream's text over all of them, behind what came before."""

    def __init__(self, raw: bytes, before: Open) -> None:
        self.records = list(decode(raw))
        self.starts = [0]
        parts: dict[Stream, list[bytes]] = {stream: [text] for stream, text in before.items()}
        self._before = {stream: len(text) for stream, text in before.items()}
        self._places: list[int] = []
        """Of each record: where its data begins in the text of its stream."""
        lengths = dict(self._before)
        for record in self.records:
            size = len(record.data)
            self.starts.append(self.starts[-1] + HEADER.size + size)
            place = lengths.get(record.stream, 0)
            self._places.append(place)
            lengths[record.stream] = place + size
            parts.setdefault(record.stream, []).append(record.data)
        self.texts = {stream: b"".join(found) for stream, found in parts.items()}

    def decided(self, found: Mapping[Stream, Sequence[Span]], tails: Mapping[Stream, int]) -> int:
        """How many records: up to the first with an open end in it, and no secret is cut there."""
        end = len(self.records)
        for stream, start in tails.items():
            if start < len(self.texts[stream]):
                end = min(end, self._record_at(stream, start))
        while True:
            earlier = min((self._uncut(stream, found[stream], end) for stream in found), default=0)
            if earlier >= end:
                return end
            end = earlier

    def silent(self, stream: Stream, end: int) -> bool:
        return self._border(stream, end) == self._before.get(stream, 0)

    def _uncut(self, stream: Stream, spans: Sequence[Span], end: int) -> int:
        border = self._border(stream, end)
        for start, stop in spans:
            if start < border < stop:
                return self._record_at(stream, start)
        return end

    def _border(self, stream: Stream, end: int) -> int:
        """How far the text of the stream reaches with so many records."""
        for index in range(end, len(self.records)):
            if self.records[index].stream is stream:
                return self._places[index]
        return len(self.texts[stream])

    def _record_at(self, stream: Stream, position: int) -> int:
        """The record with this byte; with the first of ours, where it lies before them."""
        wanted = max(position, self._before.get(stream, 0))
        for index, record in enumerate(self.records):
            place = self._places[index]
            if record.stream is stream and place <= wanted < place + len(record.data):
                return index
        return len(self.records)

    def masked(self, found: Mapping[Stream, Sequence[Span]], end: int) -> bytes:
        """The mask stands where the secret begins, or where it begins to be ours."""
        made: list[bytes] = []
        upcoming = {stream: list(reversed(spans)) for stream, spans in found.items()}
        for record, place in zip(self.records[:end], self._places, strict=False):
            spans = upcoming[record.stream]
            stop = place + len(record.data)
            first = self._before.get(record.stream, 0)
            data, position = [], place
            while spans and spans[-1][0] < stop:
                start, over = spans[-1]
                if over > place:
                    data.append(record.data[position - place : max(start, position) - place])
                    if max(start, first) >= place and over > first:
                        data.append(MASK)
                    position = min(over, stop)
                if over > stop:
                    break
                spans.pop()
            data.append(record.data[position - place :])
            made += _records(record, b"".join(data))
        return b"".join(made)


def _records(record: Record, data: bytes) -> Iterable[bytes]:
    """One, or two where masks made it longer than a record may be."""
    for start in range(0, max(len(data), 1), RECORD_BYTES):
        yield encode(record._replace(data=data[start : start + RECORD_BYTES]))


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _beginning(form: bytes, text: bytes) -> int:
    """Where the longest end of the text begins that the form begins with, but not all of it."""
    at = text.find(form[:_LONG_ENOUGH], max(0, len(text) - len(form) + 1))
    while at >= 0:
        if form.startswith(text[at:]):
            return at
        at = text.find(form[:_LONG_ENOUGH], at + 1)
    for at in range(max(0, len(text) - _LONG_ENOUGH + 1), len(text)):
        if form.startswith(text[at:]):
            return at
    return len(text)


def _base64(raw: bytes) -> Iterable[bytes]:
    """The characters that the secret alone decides: none that it shares with its neighbours."""
    for shift in range(3):
        first, last = (8 * shift + 5) // 6, 8 * (shift + len(raw)) // 6
        said = b2a_base64(bytes(shift) + raw, newline=False)[first:last]
        yield from (said, said.translate(_URL_SAFE))


def _url(raw: bytes) -> Iterable[bytes]:
    for safe in _URL_STYLES:
        kept = _UNRESERVED.union(safe)
        for style in ("%%%02X", "%%%02x"):
            said = [chr(byte) if byte in kept else style % byte for byte in raw]
            yield "".join(said).encode()
            yield "".join(said).replace("%20", "+").encode()


def _json(text: str) -> Iterable[bytes]:
    """Also as PHP says it (`\\/`), and Go (`\\u003c`)."""
    for ascii_only in (True, False):
        said = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        html = said.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
        for one in (said, said.replace("/", "\\/"), html):
            yield one.encode("utf-8", "surrogatepass")
