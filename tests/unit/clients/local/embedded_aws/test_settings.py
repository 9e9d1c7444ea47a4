from pathlib import Path

from clients.local.embedded_aws.settings import Settings, ministack_environment


def test_the_servers_environment_is_made_not_inherited() -> None:
    settings = Settings(4566, Path("/state"), Path("/python"), Path("/runtime"))

    environment = ministack_environment(settings, log_level="WARNING")

    assert environment["BIND_HOST"] == "127.0.0.1"
    assert environment["TMPDIR"].startswith("/state/")
    assert "AWS_ENDPOINT_URL" not in environment


def test_all_that_is_kept_is_in_the_state_folder() -> None:
    settings = Settings(4566, Path("/state"), Path("/python"), Path("/runtime"))

    kept = [settings.definitions, settings.items, settings.objects, settings.logs, settings.calls]
    assert all(path.parent == Path("/state") for path in kept)
