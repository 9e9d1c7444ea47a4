"""`xylem backend …`: the clusters that run workflows."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from clients.cli.backend_view import (
    as_shell,
    backend_facts,
    backend_table,
    chart_of,
    join_command,
)
from clients.cli.follow import follow_in
from clients.cli.options import (
    Days,
    Environment,
    LongFormatType,
    Region,
    Url,
    command_group,
)
from clients.cli.problems import Exit
from clients.cli.render import duration, elapsed, failures, result
from clients.cli.session import Session, session_of
from clients.sdk.client import Client, SubmitRequest
from clients.sdk.errors import BadInput
from xylem.domain.ids import BackendName
from xylem.domain.registration import credential_text, digest_of

app = command_group("Backends: clusters that dial in.")

Name = Annotated[str, typer.Argument(help="The backend's name, as pools call it.")]

SECRET_BYTES = 32

TEST_IMAGE = "busybox:1.37"
TEST_SPEC = """\
workflow:
  name: backend-test
  timeout: {{exec_timeout: 2m, queue_timeout: 5m}}
  resources:
    default: {{cpu: 1, memory: 64Mi, storage: 64Mi}}
  tasks:
  - name: hello
    image: {image}
    command: [echo, "hello from this cluster"]
"""


@app.callback()
def _backend() -> None:
    pass


@app.command()
def add(
    context: typer.Context,
    name: Name,
    image: Annotated[
        str | None, typer.Option(help="The operator's image, as it was pushed: REPOSITORY:TAG.")
    ] = None,
    pool: Annotated[
        str | None, typer.Option(help="Make this pool, too, on the whole cluster.")
    ] = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="A new credential, which ends the one before.")
    ] = False,
    format_type: LongFormatType = None,
) -> None:
    """Register a cluster, and print the one command that joins it. Its credential is shown once."""
    session = session_of(context)
    credential = credential_text(BackendName(name), secrets.token_urlsafe(SECRET_BYTES))
    with session.connect() as client:
        missing = pool is not None and _is_missing(client, pool, name)
        found = client.register_backend(name, digest_of(credential), renew=renew)
        if pool is not None and missing:
            configs = {
                "backend": name,
                "default_platform": "default",
                "platforms": {"default": {}},
            }
            client.put_pool(pool, configs, description=f"Made with the backend {name}")
    chart = chart_of(Path(__file__).parents[3])
    words = join_command(name, found.websocket_url, credential, image=image, chart=chart)
    if session.json:
        session.write_json(
            {
                "backend": name,
                "url": found.websocket_url,
                "credential": credential,
                "command": as_shell(words),
                "arguments": words,
            }
        )
        return
    session.say(as_shell(words))
    if missing:
        session.hint(f"The pool {pool} is made.")
    session.hint(
        "Run this with the cluster's KUBECONFIG. The credential in it is shown once; `xylem backend"
        f" add {name} --renew` makes another one.\nThen look: `xylem backend test {name}`."
    )


def _is_missing(client: Client, pool: str, backend: str) -> bool:
    """Raises `BadInput` for one on another backend."""
    known = client.pools().pools.get(pool)
    if known is not None and known.backend != backend:
        raise BadInput(
            f"the pool {pool} is on the backend {known.backend}: name another one with --pool"
        )
    return known is None


@app.command("list")
def list_backends(context: typer.Context, format_type: LongFormatType = None) -> None:
    """List the clusters that joined, and those that are expected to."""
    session = session_of(context)
    with session.connect() as client:
        found = client.backends()
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    if found.backends:
        session.out.print(backend_table(found.backends, session.now()))
    else:
        session.hint("There is none: `xylem backend add NAME` registers one.")


@app.command()
def show(context: typer.Context, name: Name, format_type: LongFormatType = None) -> None:
    """Show what is known of a cluster: its operator, nodes, pools and quotas."""
    session = session_of(context)
    with session.connect() as client:
        backend = client.backend(name)
        nodes = [one for one in client.resources().resources if one.backend == name]
        sets = client.pool_quotas().node_sets
    pools = [pool for one in sets for pool in one.pools if pool.backend == name]
    if session.json:
        session.write_json(
            {
                **backend.model_dump(mode="json"),
                "nodes": [node.model_dump(mode="json") for node in nodes],
                "pools": [pool.model_dump(mode="json") for pool in pools],
            }
        )
        return
    session.out.print(backend_facts(backend, nodes, pools, session.now()))


@app.command()
def test(
    context: typer.Context,
    name: Name,
    pool: Annotated[
        str | None, typer.Option("--pool", "-p", help="Default: the first on that backend.")
    ] = None,
    image: Annotated[str, typer.Option(help="With a shell; nodes pull it.")] = TEST_IMAGE,
    format_type: LongFormatType = None,
) -> None:
    """Run a tiny workflow there: the operator answers, a pod starts, its log arrives."""
    session = session_of(context)
    with session.connect() as client:
        backend = client.backend(name)
        if not backend.online:
            since = elapsed(backend.last_heartbeat, None, session.now())
            heard = (
                f"was last heard {duration(since)} ago" if backend.joined else "never dialled in"
            )
            raise BadInput(
                f"the operator of {name} {heard}: look with `kubectl --namespace xylem logs"
                " deployment/xylem-operator`."
            )
        chosen = pool or _pool_on(client, name)
        request = SubmitRequest(spec=TEST_SPEC.format(image=image), pool=chosen)
        workflow = client.submit(request).name
        session.hint(f"{name} is online; {workflow} runs in its pool {chosen}.")
        ended = follow_in(session, client, workflow)
    good = not ended.status.failed
    if session.json:
        spent = elapsed(ended.submit_time, ended.end_time, session.now())
        session.write_json(
            {
                "backend": name,
                "pool": chosen,
                "workflow": workflow,
                "status": ended.status,
                "seconds": spent,
                "problems": [task.failure_message for task in failures(ended)],
            }
        )
    else:
        session.out.print(result(ended))
    if not good:
        raise typer.Exit(Exit.FAILED)


def _pool_on(client: Client, backend: str) -> str:
    """Raises `BadInput`."""
    names = sorted(name for name, one in client.pools().pools.items() if one.backend == backend)
    if not names:
        raise BadInput(
            f"no pool is on {backend}: an administrator registers one (docs/join-cluster.md)"
        )
    return names[0]


@app.command()
def drain(
    context: typer.Context,
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Start things there again.")] = False,
    format_type: LongFormatType = None,
) -> None:
    """Start nothing more on a cluster; what runs there goes on."""
    session = session_of(context)
    with session.connect() as client:
        found = client.drain_backend(name, undo=undo)
    if session.json:
        session.write_json(found.model_dump(mode="json"))
        return
    session.say(
        f"{name} takes work again; what waited starts within three minutes."
        if undo
        else f"{name} takes no new work. What runs there goes on; `--undo` opens it again."
    )


@app.command()
def remove(
    context: typer.Context,
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Although work is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    format_type: LongFormatType = None,
) -> None:
    """Revoke a cluster's credential, close its sockets and forget it."""
    session = session_of(context)
    if not yes:
        _confirm(session, name)
    with session.connect() as client:
        client.remove_backend(name, force=force)
        left = sorted(pool for pool, one in client.pools().pools.items() if one.backend == name)
    if session.json:
        session.write_json({"removed": name, "pools": left})
        return
    session.say(f"{name} is removed. In its cluster: helm uninstall xylem-operator -n xylem")
    if left:
        session.hint(f"Still on it, and so without a cluster: {', '.join(left)}")


def _confirm(session: Session, name: str) -> None:
    if not session.stdin.isatty():
        raise BadInput(f"nobody is there to ask: --yes removes {name}")
    typer.confirm(f"Remove {name} and revoke its credential?", abort=True)


@app.command()
def token(
    context: typer.Context,
    name: Name,
    environment: Environment,
    days: Days = 365,
    region: Region = None,
    url: Url = None,
    format_type: LongFormatType = None,
) -> None:
    """Sign a token with the deployer's key, for a cluster that nobody registered (see `add`)."""
    from clients.cli.signing import deployment, signer  # noqa: PLC0415 - boto3, for this alone

    session = session_of(context)
    found = deployment(session, environment, region, url)
    signed = signer(found).operator(BackendName(name), life=timedelta(days=days), now=session.now())
    if session.json:
        session.write_json({"url": found.websocket_url, "token": signed})
        return
    session.say(signed)
    session.hint(f"Its operator dials {found.websocket_url}")
