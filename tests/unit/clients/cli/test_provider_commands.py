"""`xylem provider` and `xylem key`: what the deployer says of tokens, kept where the functions read
it; a local stack's, whose AWS is a fake here."""

import pytest

from clients.cli.commands.provider import provider_of
from clients.sdk.errors import BadInput
from xylem.domain.provider import Provider
from xylem_aws.provider_keys import dump, load

ISSUER = "https://login.test/realm"
SAID = {
    "issuer": ISSUER,
    "jwks_uri": f"{ISSUER}/keys",
    "token_endpoint": f"{ISSUER}/token",
    "authorization_endpoint": f"{ISSUER}/authorize",
}


def test_what_a_provider_says_of_itself_is_what_is_trusted_and_read_back() -> None:
    provider = provider_of(ISSUER, SAID, audiences=("xylem-cli",))

    assert provider == Provider(
        ISSUER, ("xylem-cli",), f"{ISSUER}/keys", f"{ISSUER}/token", f"{ISSUER}/authorize"
    )
    assert load(dump([provider])) == (provider,)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("jwks_uri", None),
        ("token_endpoint", None),
        ("jwks_uri", "http://login.test/keys"),
        ("token_endpoint", "http://169.254.169.254/latest"),
        ("device_authorization_endpoint", "file:///etc/passwd"),
        ("authorization_endpoint", "http://127.0.0.1:9001/"),
    ],
)
def test_a_provider_that_leads_elsewhere_than_to_https_is_not_trusted(
    field: str, value: str | None
) -> None:
    with pytest.raises(BadInput):
        provider_of(ISSUER, {**SAID, field: value}, audiences=("xylem-cli",))
