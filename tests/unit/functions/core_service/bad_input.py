"""What a caller can get wrong, and how each of it is answered: rows that are asked of the
application in memory and of the deployed stack."""

import json
from dataclasses import dataclass
from typing import Any

from tests.builders_spec import a_task, yaml_of
from tests.unit.functions.core_service.gateway import SUBMIT

BOMB = "workflow:\n  name: bomb\n  a0: &a0 [lol]\n" + "".join(
    f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
LOOP = (
    "workflow:\n  name: loop\n  tasks:\n"
    "  # {% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}\n"
)
INTERNALS = "workflow:\n  name: \"{{ ''.__class__.__mro__[1].__subclasses__() }}\"\n  tasks: []\n"
CYCLE = yaml_of(a_task("a", inputs=[{"task": "b"}]), a_task("b", inputs=[{"task": "a"}]))
UPSTREAM = yaml_of(a_task("a", inputs=[{"task": "nobody"}]))
PLATFORM = yaml_of(resources={"default": {"platform": "nope"}})
NO_IMAGE = yaml_of({"name": "a", "command": ["true"]})
DEEP = "[" * 100_000
SURROGATE = '{"file": "\\ud800"}'
NOTHING: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Bad:
    """A request and its answer. `says`: a part of the message that tells what to change."""

    name: str
    status: int
    code: str
    says: str
    method: str = "POST"
    path: str = SUBMIT
    query: str = ""
    body: str | bytes | None = None
    content_type: str | None = "application/json"
    who: str = "alice"
    roles: str = "osmo-user"
    deployed: bool = True
    """Whether the deployed stack answers it so; what stands before the application may not."""
    kept: bool = False
    """Whether a FAILED_SUBMISSION is kept of it where an admin wants that, and nothing else."""


def a_spec(
    name: str,
    status: int,
    code: str,
    says: str,
    text: str,
    more: dict[str, Any] = NOTHING,
    *,
    kept: bool = False,
) -> Bad:
    return Bad(name, status, code, says, body=json.dumps({"file": text, **more}), kept=kept)


SPECS = [
    a_spec("an empty text", 400, "USER", "no line begins with workflow:", ""),
    a_spec("no YAML", 400, "USAGE", "line 3", "workflow:\n  name: [\n"),
    a_spec("a tab for a space", 400, "USAGE", "not valid YAML", "workflow:\n\tname: a\n"),
    a_spec("a YAML bomb", 400, "USAGE", "with its aliases written out", BOMB),
    a_spec("too deep", 400, "USAGE", "nested", f"workflow: {DEEP}"),
    a_spec("over 4 MB", 413, "too_large", "4194304", "workflow: " + "a" * 4_200_000),
    a_spec(
        "a template over 4 MB",
        413,
        "too_large",
        "4194304",
        yaml_of(),
        {"uploaded_templated_spec": "a" * 4_200_000},
    ),
    a_spec(
        "rendered to over 4 MB",
        400,
        "USAGE",
        "more than 4 MiB",
        "workflow:\n  name: {{ 'a' * 5000000 }}\n",
    ),
    a_spec("an unknown key", 400, "USAGE", "did you mean tasks?", yaml_of(taks=[]), kept=True),
    a_spec("an unknown key on top", 400, "USER", "Unknown top-level key", yaml_of() + "pool: x\n"),
    a_spec(
        "two tasks of one name",
        400,
        "USAGE",
        "same name",
        yaml_of(a_task("a"), a_task("a")),
        kept=True,
    ),
    a_spec(
        "names that are the same",
        400,
        "USAGE",
        "same",
        yaml_of(a_task("a_b"), a_task("A-b")),
        kept=True,
    ),
    a_spec("a cycle", 400, "SUBMISSION", "in a circle", CYCLE),
    a_spec("a missing upstream", 400, "SUBMISSION", "nobody does not exist", UPSTREAM),
    a_spec(
        "a task that reads from itself",
        400,
        "SUBMISSION",
        "tasks[0].inputs[0].task: Task a reads from a, which is in its own group",
        yaml_of(a_task("a", inputs=[{"task": "a"}])),
    ),
    a_spec(
        "a task that reads from its own group",
        400,
        "SUBMISSION",
        "groups[0].tasks[1].inputs[0].task: Task b reads from a",
        yaml_of(
            groups=[
                {
                    "name": "g",
                    "tasks": [a_task("a", lead=True), a_task("b", inputs=[{"task": "a"}])],
                }
            ]
        ),
    ),
    a_spec(
        "an undefined resource",
        400,
        "RESOURCE",
        "tasks[0].resource: Task a uses the resource big, which does not exist",
        yaml_of(a_task(resource="big")),
    ),
    a_spec(
        "no default resource",
        400,
        "RESOURCE",
        "uses the resource default, which does not exist",
        yaml_of(resources={"big": {}}),
    ),
    a_spec(
        "a unit that is none",
        400,
        "RESOURCE",
        'resources.default.memory: "1GB" has an invalid unit: GB',
        yaml_of(resources={"default": {"memory": "1GB"}}),
    ),
    a_spec(
        "different topology keys",
        400,
        "RESOURCE",
        "workflow.resources: All tasks of a workflow have to use the same topology keys",
        yaml_of(
            a_task("a"),
            a_task("b", resource="near"),
            resources={"default": {}, "near": {"topology": [{"key": "rack"}]}},
        ),
    ),
    a_spec(
        "a URL that is none",
        400,
        "USAGE",
        'tasks[0].inputs[0].url: "foo" is no URL of an object store',
        yaml_of(a_task(inputs=[{"url": "foo"}])),
        kept=True,
    ),
    a_spec(
        "a URL of an unknown scheme",
        400,
        "USAGE",
        "tasks[0].outputs[0].url: ",
        yaml_of(a_task(outputs=[{"url": "ftp://x/y"}])),
        kept=True,
    ),
    a_spec(
        "a command that is a text",
        400,
        "USAGE",
        "tasks[0].command: should be a list of words",
        yaml_of(a_task(command="echo hi")),
        kept=True,
    ),
    a_spec(
        "a credential of no form",
        400,
        "USAGE",
        "tasks[0].credentials.c: says neither where nor as what",
        yaml_of(a_task(credentials={"c": None})),
        kept=True,
    ),
    a_spec(
        "an exit action that is none",
        400,
        "USAGE",
        "tasks[0].exitActions.RESTART: ",
        yaml_of(a_task(exitActions={"RESTART": "1"})),
        kept=True,
    ),
    a_spec(
        "exit codes that are none",
        400,
        "USAGE",
        "tasks[0].exitActions.FAIL: ",
        yaml_of(a_task(exitActions={"FAIL": "12-34-5"})),
        kept=True,
    ),
    a_spec(
        "datasets",
        400,
        "USAGE",
        "should be a map of keys and values",
        yaml_of(a_task(inputs=[{"dataset": "d"}])),
        kept=True,
    ),
    a_spec(
        "more tasks than there may be",
        400,
        "USER",
        "has 10001 tasks; the most is 10000",
        yaml_of(*(a_task(f"t{n}") for n in range(10_001))),
        kept=True,
    ),
    a_spec(
        "an unknown platform", 400, "RESOURCE", "Platform nope does not exist", PLATFORM, kept=True
    ),
    a_spec("no image", 400, "USAGE", "tasks[0].image: is required", NO_IMAGE, kept=True),
    a_spec("an empty image", 400, "USAGE", "tasks[0].image", yaml_of(a_task(image="")), kept=True),
    a_spec("a name of 65", 400, "USER", "longer than 64", yaml_of(name="a" * 65), kept=True),
    a_spec(
        "a task's name of 65", 400, "USER", "longer than 64", yaml_of(a_task("a" * 65)), kept=True
    ),
    a_spec("a name with a dot", 400, "USAGE", "is no name", yaml_of(name="bad.name")),
    a_spec("a name that is a number", 400, "USAGE", "is no name", "workflow:\n  name: 5\n"),
    a_spec("a name in Greek", 400, "USAGE", "is no name", yaml_of(name="αβγ")),
    a_spec("a task named ../x", 400, "USAGE", "is no name", yaml_of(a_task("../x")), kept=True),
    a_spec(
        "a negative timeout",
        400,
        "USAGE",
        "timeout.exec_timeout: -5s is negative",
        yaml_of(timeout={"exec_timeout": "-5s"}),
        kept=True,
    ),
    a_spec(
        "a timeout of nothing",
        400,
        "USAGE",
        "timeout.queue_timeout: 0h is no time at all",
        yaml_of(timeout={"queue_timeout": "0h"}),
        kept=True,
    ),
    a_spec(
        "an unset variable",
        400,
        "USAGE",
        "'n' is undefined",
        'workflow:\n  name: "{{ n }}"\n  tasks: []\n',
    ),
    a_spec("an endless template", 400, "USAGE", "never end", LOOP),
    a_spec("a hungry template", 400, "USAGE", "memory", "workflow:\n  name: {{ 'a' * 10**10 }}\n"),
    a_spec("Python's internals", 400, "USAGE", "unsafe", INTERNALS),
    a_spec("no template", 400, "USAGE", "cannot be rendered", "workflow:\n  name: {% if %}\n"),
    a_spec("a NUL in the YAML", 400, "USAGE", "not valid YAML", "workflow:\n  name: a\0b\n"),
    a_spec("a surrogate in the YAML", 400, "USAGE", "not valid", 'workflow: {name: "\\ud800"}\n'),
    a_spec(
        "a variable without a value",
        400,
        "USAGE",
        "NAME=VALUE",
        yaml_of(),
        {"set_variables": ["a"]},
    ),
    a_spec("no text", 422, "USAGE", "body.file", "", {"file": 5}),
    Bad("an empty body", 400, "USAGE", "Send the workflow in the body"),
    Bad("an empty object", 422, "USAGE", "body.file: Field required", body="{}"),
    Bad("JSON, but no object", 422, "USAGE", "body", body='["workflow:"]'),
    Bad("JSON, but a text", 422, "USAGE", "body", body='"workflow:"'),
    Bad("JSON, but a long text", 422, "USAGE", "body", body=json.dumps("a" * 20_000)),
    Bad("no JSON", 422, "USAGE", "JSON", body="workflow:\n"),
    Bad("JSON that does not end", 400, "USAGE", "parsing the body", body=DEEP),
    Bad("no UTF-8", 400, "USAGE", "parsing the body", body=b'{"file": "\xff\xfe"}', deployed=False),
    Bad(
        "half of a surrogate pair in the template",
        422,
        "USAGE",
        "body.uploaded_templated_spec",
        body=json.dumps({"file": yaml_of(), "uploaded_templated_spec": "\ud800"}),
    ),
    Bad("half of a surrogate pair", 422, "USAGE", "body.file", body=SURROGATE),
    Bad("a long number", 400, "USAGE", "parsing the body", body='{"file": ' + "9" * 5000 + "}"),
    Bad("infinity", 422, "USAGE", "body.file", body='{"file": Infinity}'),
    Bad("YAML by its type", 422, "USAGE", "body", body="{}", content_type="application/x-yaml"),
    Bad(
        "a form",
        422,
        "USAGE",
        "body",
        body="file=x",
        content_type="application/x-www-form-urlencoded",
    ),
    Bad(
        "bytes", 422, "USAGE", "body", body=b"\x1f\x8b\xff", content_type="application/octet-stream"
    ),
    Bad(
        "no type at all",
        422,
        "USAGE",
        "body",
        body=b"\x1f\x8b\xff",
        content_type=None,
        deployed=False,
    ),
]
GOOD_BODY = json.dumps({"file": yaml_of()})
REQUESTS = [
    Bad(
        "an unknown pool",
        400,
        "USER",
        "Pool nope not found.",
        path="/api/pool/nope/workflow",
        body=GOOD_BODY,
    ),
    Bad("a label of no form", 400, "USAGE", "KEY=VALUE", query="label=team", body=GOOD_BODY),
    Bad("a variable of no form", 400, "USAGE", "NAME=VALUE", query="env_vars=A", body=GOOD_BODY),
    Bad(
        "an unknown priority",
        422,
        "USAGE",
        "query.priority",
        query="priority=URGENT",
        body=GOOD_BODY,
    ),
    Bad(
        "a flag of no form", 422, "USAGE", "query.dry_run", query="dry_run=perhaps", body=GOOD_BODY
    ),
    Bad("an unknown workflow", 400, "DATABASE", "nobody-1", "GET", "/api/workflow/nobody-1"),
    Bad("an unknown workflow's spec", 400, "DATABASE", "no", "GET", "/api/workflow/nobody-1/spec"),
    Bad(
        "a cancel of nothing", 400, "DATABASE", "nobody-1", "POST", "/api/workflow/nobody-1/cancel"
    ),
    Bad(
        "a name with a NUL",
        400,
        "DATABASE",
        "not found",
        "GET",
        "/api/workflow/a\0b",
        deployed=False,
    ),
    Bad(
        "a name of 3,000",
        400,
        "DATABASE",
        "no id is that long",
        "GET",
        f"/api/workflow/{'a' * 3000}",
    ),
    Bad("a slash, decoded", 404, "not_found", "nothing at GET", "GET", "/api/workflow/a/b"),
    Bad("a slash, encoded", 404, "not_found", "nothing at GET", "GET", "/api/workflow/a%2Fb"),
    Bad(
        "up by two folders", 400, "DATABASE", "not found", "GET", "/api/workflow/..", deployed=False
    ),
    Bad("no name", 404, "not_found", "nothing at GET", "GET", "/api/workflow/", deployed=False),
    Bad("no such route", 404, "not_found", "nothing at GET", "GET", "/api/nothing"),
    Bad("a wrong method", 405, "not_allowed", "use GET", "DELETE", "/api/workflow/hello-1"),
    Bad("a submission by PUT", 405, "not_allowed", "use POST", "PUT", body=GOOD_BODY),
    Bad("no pool for a list", 400, "USER", "No pool selected!", "GET", "/api/workflow"),
    *(
        Bad(
            f"a list with {query}",
            status,
            "USAGE",
            says,
            "GET",
            "/api/workflow",
            f"all_pools=true&{query}",
        )
        for query, status, says in (
            ("limit=0", 400, "limit"),
            ("limit=1001", 400, "limit"),
            (f"limit={10**30}", 400, "limit"),
            (f"limit={'9' * 5000}", 422, "query.limit"),
            ("limit=ten", 422, "query.limit"),
            ("offset=-1", 400, "offset"),
            (f"offset={2**63}", 400, "offset"),
            ("offset=1.5", 422, "query.offset"),
            ("statuses=DONE", 422, "query.statuses"),
            ("submitted_after=soon", 422, "query.submitted_after"),
            ("submitted_after=99999999999999999999", 422, "query.submitted_after"),
            (f"users={'a' * 3000}", 422, "query.users"),
            (f"pools={'a' * 3000}", 422, "query.pools"),
            ("order=%ff%fe", 422, "query.order"),
            ("app=a:one", 400, "app"),
            ("label=team", 400, "KEY=VALUE"),
            ("label=team=(a", 400, "is no selector"),
        )
    ),
    Bad(
        "a pool by no admin",
        403,
        "forbidden",
        "config:Update",
        "PUT",
        "/api/configs/pool/p",
        body='{"configs": {"backend": "b"}}',
    ),
    Bad(
        "a pool of no name",
        400,
        "USER",
        "is not valid",
        "PUT",
        "/api/configs/pool/1bad",
        body='{"configs": {"backend": "b"}}',
        roles="osmo-admin",
    ),
    Bad(
        "a pool of no sense",
        422,
        "USAGE",
        "body.configs.bogus",
        "PUT",
        "/api/configs/pool/p",
        body='{"configs": {"backend": "b", "bogus": "\\ud800"}}',
        roles="osmo-admin",
    ),
    Bad(
        "a pool in half a character",
        422,
        "USAGE",
        "body.description",
        "PUT",
        "/api/configs/pool/p",
        body='{"configs": {"backend": "b"}, "description": "\\ud800"}',
        roles="osmo-admin",
    ),
    Bad("jobs by no admin", 403, "forbidden", "job:Read", "GET", "/api/job"),
    Bad("a retry by no admin", 403, "forbidden", "job:Update", "POST", "/api/job/j/retry"),
    Bad("a drop by no admin", 403, "forbidden", "job:Update", "DELETE", "/api/job/j"),
    Bad("an unknown job", 404, "unknown_job", "no job j", "GET", "/api/job/j", roles="osmo-admin"),
    Bad(
        "a job of 3,000",
        404,
        "unknown_job",
        "that long",
        "GET",
        f"/api/job/{'j' * 3000}",
        roles="osmo-admin",
    ),
    Bad(
        "a retry of nothing",
        404,
        "unknown_job",
        "no job",
        "POST",
        "/api/job/j/retry",
        roles="osmo-admin",
    ),
    Bad(
        "a drop of nothing",
        404,
        "unknown_job",
        "no job",
        "DELETE",
        "/api/job/j",
        roles="osmo-admin",
    ),
    Bad(
        "no attempt",
        422,
        "USAGE",
        "query.attempts",
        "POST",
        "/api/job/j/retry",
        "attempts=0",
        roles="osmo-admin",
    ),
    Bad(
        "endless attempts",
        422,
        "USAGE",
        "query.attempts",
        "POST",
        "/api/job/j/retry",
        f"attempts={10**9}",
        roles="osmo-admin",
    ),
    Bad("nobody's role", 403, "forbidden", "pool:List", "GET", "/api/pool", roles=""),
]
