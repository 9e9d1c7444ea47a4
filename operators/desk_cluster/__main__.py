"""`python -m operators.desk_cluster --port N --state DIR`; `... stop` and `... fault` go with it."""

import sys

from operators.desk_cluster.order import Refused, order
from operators.desk_cluster.server import CannotStart, run
from operators.desk_cluster.settings import parse, parse_fault, parse_stop
from operators.desk_cluster.stop import stop


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["stop"]:
        print(f"containers ended: {stop(parse_stop(arguments[1:]))}")
        return 0
    if arguments[:1] == ["fault"]:
        try:
            order(parse_fault(arguments[1:]))
        except Refused as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    try:
        run(parse(arguments))
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
