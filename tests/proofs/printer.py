"""What a task of `make prove-logs` prints: the same for the same seed, to the byte.

    python3 printer.py SEED LINES SECONDS

It runs in the task's container, where there is nothing of ours, and in the proof, which knows from
it what should be read back. Lines are of every length and alphabet; some have no end, some are no
text, two are a megabyte long, and each is written to one of both streams.
"""

import os
import random
import sys
import time
from collections.abc import Iterator

STDOUT, STDERR = 1, 2
LONG_BYTES = 1024 * 1024
ALPHABETS = ("abcdefghijklmnopqrstuvwxyz 0123456789", "äöüßéñ", "Журнал ", "日誌記録", "🦊🌲")
BURST = 50
"""Lines between two pauses."""


def lines(seed: str, count: int) -> Iterator[tuple[int, bytes]]:
    """Each with where it goes."""
    dice = random.Random(seed)
    long_text, long_binary = dice.sample(range(count), 2)
    for number in range(count):
        stream = STDERR if dice.random() < 0.2 else STDOUT
        if number == long_text:
            yield stream, _text(dice, LONG_BYTES // 4).encode()[: LONG_BYTES - 1] + b"\n"
        elif number == long_binary:
            yield stream, dice.randbytes(LONG_BYTES)
        else:
            yield stream, _line(dice, number)


def _line(dice: random.Random, number: int) -> bytes:
    match dice.randrange(50):
        case 0:
            return dice.randbytes(dice.randrange(1, 400))
        case 1:
            return f"{number} without an end".encode()
        case 2:
            return b"\n"
        case 3 | 4:
            return f"{number} {_text(dice, dice.randrange(1_000))}\n".encode()
        case _:
            return f"{number} {_text(dice, dice.randrange(60))}\n".encode()


def _text(dice: random.Random, length: int) -> str:
    return "".join(dice.choices(dice.choice(ALPHABETS), k=length))


def main() -> None:
    seed, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    pause = seconds * BURST / count
    for number, (stream, said) in enumerate(lines(seed, count)):
        while said:
            said = said[os.write(stream, said) :]
        if number % BURST == 0:
            time.sleep(pause)  # the task is to print for as long as it was told


if __name__ == "__main__":
    main()
