import pytest

from clients.local.embedded_aws.asgi import ApiAddress, api_address
from clients.local.embedded_aws.connections_api import is_connections


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/_aws/execute-api/a/live", ApiAddress("a", "live", "/")),
        ("/_aws/execute-api/a/%24default/x%20y", ApiAddress("a", "$default", "/x%20y")),
        ("/_aws/execute-api/a/", ApiAddress("a", "$default", "/")),
        ("/_aws/other", None),
        ("/", None),
    ],
)
def test_an_api_is_addressed_by_path(path: str, address: ApiAddress | None) -> None:
    assert api_address(path) == address


@pytest.mark.parametrize(
    ("path", "yes"),
    [("/@connections/abc", True), ("/%40connections/abc", True), ("/connections", False)],
)
def test_the_path_of_connections_is_known_in_both_spellings(path: str, yes: bool) -> None:
    assert is_connections(ApiAddress("a", "live", path)) is yes
