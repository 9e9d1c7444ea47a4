"""Starting: one server for each folder and each port; every refusal is one sentence."""

import socket
import subprocess
import sys
from pathlib import Path

from clients.local.embedded_aws import install
from tests.contract.embedded_aws.resources import a_function, invoked
from tests.contract.embedded_aws.server import REPOSITORY, EmbeddedAws, running


def refusal(server: EmbeddedAws, *, python: Path = install.PYTHON) -> str:
    """What a server that does not start says."""
    result = subprocess.run(
        [str(python), *server.command()[1:]],
        env={"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1
    [sentence] = result.stderr.splitlines()
    return sentence


def test_a_second_server_on_the_same_folder_is_refused(aws: EmbeddedAws) -> None:
    sentence = refusal(EmbeddedAws(aws.state))

    assert f"works on {aws.state}" in sentence
    assert f'"port": {aws.port}' in sentence


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = EmbeddedAws(tmp_path / "state", port=taken.getsockname()[1])

        assert f"127.0.0.1:{server.port} is taken" in refusal(server)


def test_an_interpreter_without_ministack_is_told_where_it_is(tmp_path: Path) -> None:
    sentence = refusal(EmbeddedAws(tmp_path / "state"), python=Path(sys.executable))

    assert "python -m clients.local.embedded_aws.install" in sentence


def test_a_missing_runtime_is_told_how_to_get_it(tmp_path: Path) -> None:
    nowhere = ("--lambda-runtime", str(tmp_path))
    sentence = refusal(EmbeddedAws(tmp_path / "state", arguments=nowhere))

    assert "there is no awslambdaric" in sentence


def test_only_loopback_is_listened_on(aws: EmbeddedAws) -> None:
    listening = subprocess.run(
        ["ss", "-Hltn", f"sport = :{aws.port}"], capture_output=True, text=True, check=False
    ).stdout

    assert f"127.0.0.1:{aws.port}" in listening
    assert len(listening.splitlines()) == 1


def test_the_environment_of_whoever_started_it_reaches_no_function(
    tmp_path: Path,
) -> None:
    leaking = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "work", "SECRET": "x"}
    with running(EmbeddedAws(tmp_path / "state", environment=leaking)) as aws:
        function = a_function(
            aws, "import os\ndef handler(event, context): return dict(os.environ)"
        )

        environment = invoked(aws, function)

    assert environment["AWS_ENDPOINT_URL"] == aws.endpoint
    assert not {"AWS_PROFILE", "SECRET"} & environment.keys()
