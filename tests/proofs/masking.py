"""No secret gets through: `make prove-masking`.

Each case prints random secrets of eight characters and more, in every form that is masked, between
other text, on both streams, cut into records at random places; and ships it as a sidecar does, in
batches of random sizes, some of them sent again and some after the wait for an undecided end is
over. What arrives must not contain a secret, nor decode to one, and nothing else may be missing.

The seeds are divided into shards, and a shard that is done is a line of a file below `build/`, so a
proof that was stopped goes on where it was; a line counts for the code that it was run on.
"""

import argparse
import base64
import hashlib
import json
import random
import re
import string
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, quote_plus, unquote_to_bytes

from tests.benchmarks.reporting import ROOT, record
from xylem.protocol import masking, spool
from xylem.protocol.masking import MASK, Masker, Open
from xylem.protocol.spool import Record, Stream, decode, encode, whole

KEPT = ROOT / "build" / "proof-masking"
SHARD = 1_000
CASES = 100_000
OURS = (Path(masking.__file__), Path(spool.__file__), Path(__file__))

ALPHABETS = (
    string.ascii_letters + string.digits,
    string.printable.strip(),
    "ab",
    "a",
    "äöü€漢😀/+&<>\"'\\%= \n\tx",
)
FILLINGS = (
    *(string.ascii_letters, " \n", "0123456789\n", "ab", "=/+-_%\\"),
    "äö漢 ",
)


class Printed(NamedTuple):
    secrets: tuple[str, ...]
    records: bytes


def base64_of(secret: str, dice: random.Random) -> bytes:
    """In the middle of something: one of three alignments."""
    before, after = dice.randbytes(dice.randrange(6)), dice.randbytes(dice.randrange(6))
    encoder = dice.choice((base64.b64encode, base64.urlsafe_b64encode))
    return encoder(before + secret.encode() + after)


FORMS: Mapping[str, Callable[[str, random.Random], bytes]] = {
    "raw": lambda secret, _: secret.encode(),
    "base64": base64_of,
    "url": lambda secret, dice: quote(secret, safe=dice.choice(("", "/"))).encode(),
    "form": lambda secret, _: quote_plus(secret).encode(),
    "json": lambda secret, dice: json.dumps(secret, ensure_ascii=dice.random() < 0.5)[
        1:-1
    ].encode(),
}


def a_secret(dice: random.Random) -> str:
    """White space at its ends would not be part of it."""
    alphabet = dice.choice(ALPHABETS)
    length = dice.choice((8, 8, 9, 12, 20, 40, dice.randrange(8, 200)))
    middle = "".join(dice.choice(alphabet) for _ in range(length - 2))
    ends = [one for one in alphabet if one.strip()]
    return dice.choice(ends) + middle + dice.choice(ends)


def printed(dice: random.Random) -> Printed:
    secrets = tuple(a_secret(dice) for _ in range(dice.choice((1, 1, 2, 3))))
    texts: dict[Stream, bytes] = {}
    for stream in (Stream.STDOUT, Stream.STDERR):
        parts = []
        for _ in range(dice.randrange(6)):
            filling = dice.choice(FILLINGS)
            parts.append("".join(dice.choices(filling, k=dice.randrange(12))).encode())
            parts.append(dice.choice(list(FORMS.values()))(dice.choice(secrets), dice))
            if dice.random() < 0.3:
                whole_form = parts[-1]
                # No more than half: one that lacks a character may be completed by what follows
                # in a mixture of forms, and such are not looked for.
                parts.append(whole_form[: dice.randrange(len(whole_form) // 2)])
        texts[stream] = b"".join(parts)
    return Printed(secrets, in_records(texts, dice))


def in_records(texts: Mapping[Stream, bytes], dice: random.Random) -> bytes:
    left = dict(texts)
    made = []
    longest = dice.choice((1, 3, 10, 100, 10_000))
    while any(left.values()):
        stream = dice.choice([one for one, text in left.items() if text])
        size = dice.randint(1, longest)
        made.append(encode(Record(stream, 0, left[stream][:size])))
        left[stream] = left[stream][size:]
    return b"".join(made)


def shipped(masker: Masker, raw: bytes, dice: random.Random) -> bytes:
    """As the sidecar does: batch by batch, from where the one before ended."""
    arrived, offset, opened = [], 0, dict[int, Open]()
    seen = 0
    longest = dice.choice((20, 200, 5_000))
    while offset < len(raw):
        seen = min(len(raw), max(seen, offset) + dice.randrange(longest))
        piece = raw[offset:seen]
        piece = piece[: whole(piece)]
        if not piece:
            continue
        last = offset + len(piece) == len(raw)
        release = last or dice.random() < 0.02
        found = masker.mask(piece, before=opened.get(offset), release=release)
        if not found.length or dice.random() < 0.2:
            continue  # kept back, or lost on its way
        arrived.append(found.body)
        offset += found.length
        opened = {offset: found.open}
    return b"".join(arrived)


def leaks(secrets: Sequence[str], arrived: bytes) -> list[str]:
    """In what form a secret got through."""
    texts: dict[Stream, bytes] = {}
    for one in decode(arrived):
        texts[one.stream] = texts.get(one.stream, b"") + one.data
    found = []
    for text in texts.values():
        readings = {
            "raw": text,
            "url": unquote_to_bytes(text),
            "form": unquote_to_bytes(text.replace(b"+", b" ")),
            "json": _unescaped(text),
        }
        for run in re.findall(rb"[A-Za-z0-9+/_-]{8,}", text):
            plain = run.translate(bytes.maketrans(b"-_", b"+/"))
            for start in range(4):
                part = plain[start:]
                readings[f"base64 {run!r} {start}"] = base64.b64decode(
                    part[: len(part) // 4 * 4], validate=False
                )
        found += [
            f"{how}: {secret!r}"
            for how, reading in readings.items()
            for secret in secrets
            if secret.strip().encode() in reading
        ]
    return found


def _unescaped(text: bytes) -> bytes:
    shown = text.decode("utf-8", "replace")

    def character(match: re.Match[str]) -> str:
        try:
            return str(json.loads(f'"{match.group()}"'))
        except ValueError:
            return match.group()

    said = re.sub(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]', character, shown)
    return said.encode("utf-8", "surrogatepass")


def case(seed: int) -> str:
    """What is wrong; nothing, as a rule."""
    dice = random.Random(seed)
    secrets, records = printed(dice)
    arrived = shipped(Masker(secrets), records, dice)
    if found := leaks(secrets, arrived):
        return found[0]
    for stream in Stream:
        if not _in_order(_text(arrived, stream).split(MASK), _text(records, stream)):
            return f"{stream.name}: other bytes arrived than were printed"
    return ""


def _text(records: bytes, stream: Stream) -> bytes:
    return b"".join(one.data for one in decode(records) if one.stream is stream)


def _in_order(pieces: Sequence[bytes], text: bytes) -> bool:
    position = 0
    for piece in pieces:
        at = text.find(piece, position)
        if at < 0:
            return False
        position = at + len(piece)
    return True


class Shard(NamedTuple):
    first: int
    until: int
    seconds: float
    wrong: list[str]


def run(first: int, until: int) -> Shard:
    began = time.process_time()
    found = [(seed, case(seed)) for seed in range(first, until)]
    wrong = [f"seed {seed}: {what}" for seed, what in found if what]
    return Shard(first, until, round(time.process_time() - began, 2), wrong)


def fingerprint() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in OURS)).hexdigest()[:16]


def kept(path: Path) -> dict[tuple[int, int], Shard]:
    """Shards that are done. A line that was cut off is of one that is not."""
    done = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            shard = Shard(**json.loads(line))
        except (ValueError, TypeError):
            continue
        done[shard.first, shard.until] = shard
    return done


def main(arguments: Sequence[str] | None = None, folder: Path = KEPT) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", action="store_true", help="keep the result in docs/")
    given = parser.parse_args(arguments)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{fingerprint()}.jsonl"
    done = kept(path)
    end = given.seed + given.cases
    wanted = [(first, min(first + SHARD, end)) for first in range(given.seed, end, SHARD)]
    path.write_text("".join(map(_line, done.values())))
    with path.open("a") as file:
        for bounds in wanted:
            if bounds not in done:
                done[bounds] = run(*bounds)
                file.write(_line(done[bounds]))
                file.flush()
                print(f"{bounds[1] - given.seed} of {given.cases}", file=sys.stderr)
    shards = [done[bounds] for bounds in wanted]
    result = {
        "seeds": [given.seed, end - 1],
        "cases": given.cases,
        "leaks": [what for shard in shards for what in shard.wrong],
        "seconds_of_one_processor": round(sum(shard.seconds for shard in shards), 1),
    }
    print(json.dumps(result, indent=1))
    if given.record:
        record("masking", result)
    return 1 if result["leaks"] else 0


def _line(shard: Shard) -> str:
    return json.dumps(shard._asdict()) + "\n"


if __name__ == "__main__":
    sys.exit(main())
