from dataclasses import replace

import pytest

from infra_cdk.environments import (
    ENVIRONMENTS,
    Embedded,
    TooSoon,
    UnknownEnvironment,
    choose,
    dev,
    local,
)


def test_dev_is_deployed_unless_another_environment_is_named() -> None:
    assert choose(None, None) is dev


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_chosen_by_its_name(name: str) -> None:
    assert choose(name, None).name == name


def test_an_unknown_environment_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownEnvironment, match="'production' is unknown.*local, dev, prod"):
        choose("production", None)


def test_logs_are_not_kept_for_less_than_their_attempts_may_write() -> None:
    with pytest.raises(TooSoon, match="logs_kept_days of dev is 1: keep them for 2 days"):
        replace(dev, logs_kept_days=1)


def test_the_embedded_stack_is_found_where_its_endpoint_says() -> None:
    chosen = choose("local", "http://127.0.0.1:4999/")

    assert chosen == replace(local, embedded=Embedded("http://127.0.0.1:4999"))


def test_an_environment_on_aws_takes_no_endpoint() -> None:
    with pytest.raises(UnknownEnvironment, match="'prod' is on AWS.*leave -c endpoint= out"):
        choose("prod", "http://127.0.0.1:4566")


def test_the_addresses_of_the_embedded_apis_follow_from_the_endpoint() -> None:
    embedded = Embedded("http://127.0.0.1:4566")
    apis = "127.0.0.1:4566/_aws/execute-api"

    assert embedded.api_url == f"http://{apis}/xylemhttp/$default"
    assert embedded.websocket_url == f"ws://{apis}/xylemws/live"
    assert embedded.connections_endpoint == f"http://{apis}/xylemws/live"


def test_a_socket_to_a_tls_endpoint_is_a_tls_socket() -> None:
    assert Embedded("https://aws.internal").websocket_url.startswith("wss://aws.internal/")
