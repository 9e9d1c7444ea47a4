"""`python -m operators.desk_cluster --port N --state DIR`, and `... stop --state DIR`."""

import sys

from operators.desk_cluster.server import CannotStart, run
from operators.desk_cluster.settings import parse, parse_stop
from operators.desk_cluster.stop import stop


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["stop"]:
        print(f"containers ended: {stop(parse_stop(arguments[1:]))}")
        return 0
    try:
        run(parse(arguments))
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
