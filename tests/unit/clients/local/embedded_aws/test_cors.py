import pytest

from clients.local.embedded_aws.cors import is_preflight, preflight, with_cors
from clients.local.embedded_aws.http_messages import HttpResponse

SITE = "https://xylem.example"


@pytest.mark.parametrize(
    ("allowed", "origin", "answer"),
    [
        (["*"], SITE, "*"),
        ([SITE], SITE, SITE),
        (["https://*"], SITE, SITE),
        (["http://*"], SITE, None),
        (["https://other.example"], SITE, None),
    ],
)
def test_an_origin_is_let_in_as_it_is_configured(
    allowed: list[str], origin: str, answer: str | None
) -> None:
    response = with_cors(HttpResponse(200, ()), {"allowOrigins": allowed}, {"origin": origin})

    assert dict(response.headers).get("access-control-allow-origin") == answer


def test_what_a_function_says_about_cors_is_ignored() -> None:
    own = HttpResponse(200, (("access-control-allow-origin", "*"), ("x-a", "1")))

    response = with_cors(own, {"allowOrigins": [SITE]}, {"origin": "https://other.example"})

    assert response.headers == (("x-a", "1"),)


def test_a_preflight_of_a_stranger_is_told_nothing() -> None:
    configuration = {"allowOrigins": [SITE], "allowMethods": ["GET"]}

    assert preflight(configuration, {"origin": "https://other.example"}).headers == ()


def test_an_options_request_without_a_method_to_ask_for_is_no_preflight() -> None:
    assert not is_preflight("OPTIONS", {"origin": SITE})
    assert is_preflight("OPTIONS", {"origin": SITE, "access-control-request-method": "GET"})
