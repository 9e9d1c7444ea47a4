"""The console script `xylem`."""

import os
import signal
import sys
from collections.abc import Sequence
from io import StringIO, TextIOWrapper

import typer

from clients.cli.lazy import Commands
from clients.cli.options import LongFormatType
from clients.cli.session import Session, console

root = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Xylem runs containerised workflows on many clusters, without a server.",
    pretty_exceptions_enable=False,
)


@root.callback()
def _root(context: typer.Context, format_type: LongFormatType = None) -> None:
    pass


def run(arguments: Sequence[str], session: Session) -> int:
    """The exit code. Everything that a command sees of the world is in `session`."""
    command = typer.main.get_command(root)
    try:
        command.main(args=list(arguments), prog_name="xylem", obj=session)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
    return 0


def main() -> None:
    # A reader that had enough (`| head`) ends us as it ends any other program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Whatever the locale says: a spec is UTF-8, and a sign that a terminal lacks is no failure.
    for stream, errors in ((sys.stdin, "strict"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if isinstance(stream, TextIOWrapper):  # not where a stream was closed before we came
            stream.reconfigure(encoding="utf-8" if stream is sys.stdin else None, errors=errors)
    stdin = sys.stdin or StringIO()
    session = Session(out=console(), err=console(stderr=True), stdin=stdin, environ=os.environ)
    sys.exit(run(sys.argv[1:], session))


if __name__ == "__main__":
    main()
