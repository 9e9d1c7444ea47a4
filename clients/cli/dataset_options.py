"""Options that several commands about datasets have."""

from pathlib import Path
from typing import Annotated

import typer

from clients.cli.options import several

Name = Annotated[str, typer.Argument(help="[BUCKET/]NAME[:TAG or VERSION]")]
BareName = Annotated[str, typer.Argument(help="[BUCKET/]NAME")]
All = Annotated[bool, typer.Option("--all", "-a", help="All versions.")]
Regex = Annotated[
    str | None,
    typer.Option("--regex", "-x", help="Only files whose path in the dataset it matches."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="KEY:string:VALUE or KEY:numeric:VALUE; dots nest, commas make several.",
        show_default=False,
    ),
]
Delete = Annotated[
    list[str] | None,
    typer.Option("--delete", "-d", help="Keys to delete; dots nest.", show_default=False),
]
FromFile = Annotated[
    bool, typer.Option("--file", "-f", help="What --set has are YAML files.", show_default=False)
]
SetAndDelete = several("--set", "-s", "--delete", "-d")
AddAndRemove = several("--add", "-a", "--remove", "-r")
Files = several("--metadata", "-m", "--labels", "-l", "--add", "-a")

# Of transfers ------------------------------------------------------------------------------------

Metadata = Annotated[
    list[str] | None, typer.Option("--metadata", "-m", help="YAML files: of the version.")
]
Labels = Annotated[
    list[str] | None, typer.Option("--labels", "-l", help="YAML files: of the dataset.")
]
StartOnly = Annotated[
    bool, typer.Option("--start-only", hidden=True, help="Begin a version, print it, and stop.")
]
Threads = Annotated[
    int, typer.Option("--threads", "-T", min=1, max=200, help="Transfers at a time.")
]
Processes = Annotated[
    int | None,
    typer.Option("--processes", "-p", min=1, help="Multiplies the threads; OSMO's option."),
]
Benchmark = Annotated[
    Path | None,
    typer.Option("--benchmark-out", "-b", help="A folder for what was moved, as JSON."),
]
