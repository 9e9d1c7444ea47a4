"""What the user writes -> `WorkflowPlan`: parsed once, at submission, and trusted from there on.

    text -> render -> parse -> check_pool
            |         |
            |         document     YAML, bounded
            |         workflow     the models: what one value may be
            |         outline      what can be understood of a spec with mistakes
            |         planning     what the values say about each other
            document  the top-level keys, default-values
            template  Jinja, in a child that can be ended (sandbox)

The command line runs the same on a machine without a service, but for `check_pool`; `schema` is
what editors know of it.

Everything wrong with a spec is an `InvalidSpec` (or `TooLarge`) that names the path in the YAML,
the value and what to change.
"""

from xylem.spec.admission import check_pool, place_of
from xylem.spec.document import check_size, mapping
from xylem.spec.problems import problem, refusal
from xylem.spec.reading import (
    VERSION,
    DryRun,
    Specification,
    dry_run,
    dump,
    parse,
    read,
    stored_text,
)
from xylem.spec.template import render

__all__ = [
    "VERSION",
    "DryRun",
    "Specification",
    "check_pool",
    "check_size",
    "dry_run",
    "dump",
    "mapping",
    "parse",
    "place_of",
    "problem",
    "read",
    "refusal",
    "render",
    "stored_text",
]
