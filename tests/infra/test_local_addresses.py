"""`clients.local` writes down what `infra_cdk` pins, so that `xylem local status` need not import
the CDK. Here the two are compared."""

from pathlib import Path

from clients.local.keys import KEYS_PATH
from clients.local.settings import DEFAULT_PORTS, ENVIRONMENT, find_settings
from infra_cdk.constructs.rights import keys_path
from infra_cdk.environments import DEFAULT_ENDPOINT, choose


def test_the_local_stack_is_where_the_cdk_app_says(tmp_path: Path) -> None:
    settings = find_settings({"XYLEM_HOME": str(tmp_path)}, {"aws": 18000})

    environment = choose(ENVIRONMENT, settings.endpoint)

    assert environment.embedded is not None
    assert settings.api_url == environment.embedded.api_url
    assert settings.websocket_url == environment.embedded.websocket_url
    assert keys_path(environment) == KEYS_PATH


def test_the_default_endpoint_is_the_same(tmp_path: Path) -> None:
    settings = find_settings({"XYLEM_HOME": str(tmp_path)}, DEFAULT_PORTS)

    assert settings.endpoint == DEFAULT_ENDPOINT
