"""How much of a log is masked in a second of one processor: lines, and records as long as they may
be, without a secret in them and with one in each hundredth line, against five secrets.

The processor's time counts, not the time that passed: who else uses the machine makes no
difference.
"""

import sys
import time
from collections.abc import Sequence

from rich.table import Table

from tests.benchmarks.reporting import options, report
from xylem.protocol.masking import MASK, Masker, forms
from xylem.protocol.runtime import BATCH_BYTES
from xylem.protocol.spool import HEADER, RECORD_BYTES, Record, Stream, encode

SECRETS = [f"s3cr&t/word+{number}<é>" * 2 for number in range(5)]
LINE = b"2026-11-30 12:00:00 epoch 3 step 4711 loss 0.1234 lr 1e-4 all is well\n"
EVERY = 100
"""Lines, of which one has a secret."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    given = parser.parse_args(arguments)
    masker = Masker(SECRETS)
    line = HEADER.size + len(LINE)
    lines = [LINE] * (BATCH_BYTES // line)
    long = [(LINE * RECORD_BYTES)[: RECORD_BYTES - len(LINE)]] * (BATCH_BYTES // RECORD_BYTES)
    leaky = [SECRETS[0].encode() if not n % EVERY else one for n, one in enumerate(lines)]
    figures = {
        name: megabytes_a_second(masker, texts, given.seconds)
        for name, texts in (("lines", lines), ("long records", long), ("with secrets", leaky))
    }
    found = sum(len(forms(secret)) for secret in SECRETS)
    report("masking_speed", {"forms": found, "mb_per_second": figures}, [table(figures)], given)
    return 0


def megabytes_a_second(masker: Masker, texts: Sequence[bytes], seconds: float) -> float:
    raw = b"".join(encode(Record(Stream.STDOUT, 0, text)) for text in texts)
    done, began = 0, time.process_time()
    while (taken := time.process_time() - began) < seconds:
        found = masker.mask(raw, release=True)
        done += found.length
    assert (MASK in found.body) == any(SECRETS[0].encode() in text for text in texts)
    return round(done / taken / 1e6, 1)


def table(figures: dict[str, float]) -> Table:
    shown = Table(title="masked, MB in a second of one processor")
    for column in ("", "MB/s"):
        shown.add_column(column, justify="left" if not column else "right")
    for name, figure in figures.items():
        shown.add_row(name, f"{figure:.1f}")
    return shown


if __name__ == "__main__":
    sys.exit(main())
