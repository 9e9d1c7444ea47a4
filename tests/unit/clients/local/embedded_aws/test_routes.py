import pytest

from clients.local.embedded_aws.routes import Match, match

ROUTES = [
    "$default",
    "ANY /api/{proxy+}",
    "GET /api/workflow/{name}/logs",
    "GET /api/workflow/{name}",
    "ANY /api/workflow/{name}",
    "GET /health",
]


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("GET", "/health", "GET /health", {}),
        ("GET", "/api/workflow/a/logs", "GET /api/workflow/{name}/logs", {"name": "a"}),
        ("GET", "/api/workflow/a", "GET /api/workflow/{name}", {"name": "a"}),
        ("PUT", "/api/workflow/a", "ANY /api/workflow/{name}", {"name": "a"}),
        ("POST", "/api/workflow/a/logs", "ANY /api/{proxy+}", {"proxy": "workflow/a/logs"}),
        ("POST", "/health", "$default", {}),
        ("GET", "/api", "$default", {}),
        ("GET", "/health/", "$default", {}),
    ],
)
def test_the_most_specific_route_takes_a_request(
    method: str, path: str, route: str, parameters: dict[str, str]
) -> None:
    assert match(ROUTES, method, path) == Match(route, parameters)


def test_without_a_default_route_an_unknown_path_has_none() -> None:
    assert match(["GET /health"], "GET", "/other") is None


def test_path_parameters_are_decoded_and_may_be_named_anything() -> None:
    assert match(["GET /a/{file-name}"], "GET", "/a/x%252Fy") == Match(
        "GET /a/{file-name}", {"file-name": "x%2Fy"}
    )
