"""What can go wrong, in the words of the domain: no HTTP, no DynamoDB, no Kubernetes.

    XylemError
    ├── InvalidSpec        the workflow as written cannot be accepted
    ├── InvalidRequest     a parameter or body that is not a spec
    ├── UnknownWorkflow    no workflow of that id or uuid
    ├── UnknownTask        no such task, or no such attempt of it
    ├── UnknownPool        no pool of that name
    ├── UnknownBackend     no backend of that name
    ├── UnknownJob         no job of that id: it was done, or never was
    ├── NotFound           no such thing, on a route of ours
    ├── NotYet             it is there, and cannot be done with yet
    ├── TooMany            as many as one may have are there already
    ├── Unauthenticated    no token, or not one of ours
    ├── Forbidden          a token that may not do this
    ├── TooLarge           more than a wire or a row holds
    ├── Refused            the event cannot happen in this state
    ├── KeyReused          an idempotency key that another request came with
    ├── Conflict           somebody else changed it first: load again, decide again
    ├── Gone               the connection, or the thing behind it, is no longer there
    └── Unavailable        a part that we need does not answer; the same request may work later

`code` is what a program reads in an error's body. OSMO's codes (USAGE, RESOURCE, CREDENTIAL,
DATABASE, USER, SUBMISSION) keep their meaning; ours are lower case.
"""

from typing import ClassVar

from xylem.domain.values import dataclass, replace


class XylemError(Exception):
    """Base of every error we raise on purpose. Anything else that escapes is a bug.

    The message is for the person who can do something about it, and says what. `workflow` is the
    workflow that it is about, where one is known."""

    code: str
    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str | None = None, workflow: str | None = None):
        super().__init__(message)
        self.code = code or self.default_code
        self.workflow = workflow


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a spec. `at`: the keys and positions that lead to it, `path` the
    same as people write it; `line`: where that stands, if that is known, in the spec as it was
    `rendered` where it is not the user's own."""

    code: str
    at: tuple[int | str, ...]
    path: str
    text: str
    line: int | None = None
    rendered: bool = False

    def __str__(self) -> str:
        where = " of the rendered spec" if self.rendered else ""
        line = f" (line {self.line}{where})" if self.line is not None else ""
        return f"{self.path}: {self.text}{line}"

    def on(self, line: int | None, *, rendered: bool) -> "Problem":
        return replace(self, line=line, rendered=rendered)


class InvalidSpec(XylemError):
    """`problems`: what the message says, one by one, where it is about places in the spec.
    `kept_as`: the name under which a submission that is refused for it is kept, FAILED_SUBMISSION;
    `workflow`, where nothing else is said. None: it leaves nothing."""

    default_code = "USAGE"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        workflow: str | None = None,
        problems: tuple[Problem, ...] = (),
        kept_as: str | None = None,
    ):
        super().__init__(message, code=code, workflow=workflow)
        self.problems = problems
        self.kept_as = kept_as or workflow


class InvalidRequest(XylemError):
    default_code = "USAGE"


class UnknownWorkflow(XylemError):
    default_code = "DATABASE"


class UnknownTask(XylemError):
    default_code = "DATABASE"


class UnknownPool(XylemError):
    default_code = "USER"


class UnknownBackend(XylemError):
    default_code = "USER"


class UnknownJob(XylemError):
    default_code = "unknown_job"


class NotFound(XylemError):
    default_code = "not_found"


class NotYet(XylemError):
    default_code = "not_yet"


class TooMany(XylemError):
    """`retry_after`: in how many seconds there may be room."""

    default_code = "too_many"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        workflow: str | None = None,
        retry_after: int = 30,
    ):
        super().__init__(message, code=code, workflow=workflow)
        self.retry_after = retry_after


class Unauthenticated(XylemError):
    default_code = "unauthenticated"


class Forbidden(XylemError):
    default_code = "forbidden"


class TooLarge(XylemError):
    default_code = "too_large"


class Refused(XylemError):
    default_code = "refused"


class KeyReused(XylemError):
    default_code = "idempotency_key_reused"


class Conflict(XylemError):
    default_code = "conflict"


class Gone(XylemError):
    default_code = "gone"


class Unavailable(XylemError):
    default_code = "unavailable"
