"""A credential is taken or refused, to the letter; and which one opens a URL."""

from typing import Any

import pytest

from xylem.domain.credential import (
    DOCKER_HUB,
    KEY_CHARS,
    MOST_KEYS,
    NAME_CHARS,
    PAYLOAD_BYTES,
    URL_CHARS,
    Credential,
    CredentialKind,
    KnownCredential,
    data,
    generic,
    opening,
    pulling,
    registry,
    secret_keys,
)
from xylem.domain.errors import InvalidRequest


def of_store(endpoint: str = "s3://bucket", **fields: Any) -> Credential:
    return data("mine", endpoint=endpoint, access_key_id="me", access_key="secret", **fields)


def of_registry(host: str) -> Credential:
    return registry("mine", host=host, username="me", auth="secret")


def known(
    name: str, profile: str | None, kind: CredentialKind = CredentialKind.DATA
) -> KnownCredential:
    return KnownCredential(name, kind, profile, ())


# What all of them have ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "Ab-c_9", "a" * NAME_CHARS])
def test_a_name_is_taken(name: str) -> None:
    assert generic(name, {"KEY": "value"}).name == name


@pytest.mark.parametrize("name", ["", "9a", "a-", "a b", "ä", "a" * (NAME_CHARS + 1)])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="is no name of a credential"):
        generic(name, {"KEY": "value"})


@pytest.mark.parametrize("key", ["a", "KEY", "tls.crt", ".dockerconfigjson", "a" * KEY_CHARS])
def test_a_key_that_a_secret_of_kubernetes_can_have_is_taken(key: str) -> None:
    assert generic("mine", {key: "value"}).known.keys == (key,)


@pytest.mark.parametrize("key", ["", "..a", "a b", "a/b", "a" * (KEY_CHARS + 1)])
def test_another_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="is no key of a credential"):
        generic("mine", {key: "value"})


def test_a_credential_has_as_many_keys_as_it_may() -> None:
    payload = {f"KEY{number}": "value" for number in range(MOST_KEYS)}

    assert len(generic("mine", payload).payload) == MOST_KEYS
    with pytest.raises(InvalidRequest, match="100 keys at the most, not 101"):
        generic("mine", {**payload, "ANOTHER": "value"})


def test_a_credential_has_as_many_bytes_as_it_may() -> None:
    value = "x" * (PAYLOAD_BYTES - len("KEY") - 2) + "ä"

    assert generic("mine", {"KEY": value}).payload == {"KEY": value}
    with pytest.raises(InvalidRequest, match=f"has {PAYLOAD_BYTES + 1} bytes"):
        generic("mine", {"KEY": value + "x"})


def test_a_value_that_no_environment_variable_can_have_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="The value of KEY holds a NUL"):
        generic("mine", {"KEY": "a\0b"})


def test_a_credential_without_a_key_holds_nothing() -> None:
    with pytest.raises(InvalidRequest, match="without a key") as refused:
        generic("mine", {})

    assert refused.value.code == "USER"


def test_what_may_be_shown_of_a_credential_are_its_keys_in_order() -> None:
    credential = generic("mine", {"b": "secret", "a": "secret"})

    assert credential.known == KnownCredential("mine", CredentialKind.GENERIC, None, ("a", "b"))
    assert "secret" not in repr(credential)


# A login at a registry ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "profile"),
    [
        ("", DOCKER_HUB),
        ("docker.io", DOCKER_HUB),
        ("index.docker.io", DOCKER_HUB),
        ("nvcr.io", "nvcr.io"),
        ("nvcr.io/team/", "nvcr.io/team"),
        ("localhost:5000", "localhost:5000"),
        ("r" * URL_CHARS, "r" * URL_CHARS),
    ],
)
def test_a_registry_is_known_by_its_host(host: str, profile: str) -> None:
    credential = of_registry(host)

    assert credential.profile == profile
    assert credential.payload == {"registry": profile, "username": "me", "auth": "secret"}


@pytest.mark.parametrize("host", ["https://nvcr.io", "me@nvcr.io", "a b", "r" * (URL_CHARS + 1)])
def test_what_is_no_host_of_a_registry_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="registry: give its host alone"):
        of_registry(host)


# Keys of an object store -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "profile"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/team/", "s3://bucket/team"),
        ("swift://bucket", "swift://bucket"),
        ("gs://bucket", "gs://bucket"),
        ("tos://bucket", "tos://bucket"),
        ("azure://account", "azure://account"),
        (f"s3://{'b' * (URL_CHARS - 5)}", f"s3://{'b' * (URL_CHARS - 5)}"),
    ],
)
def test_a_store_is_known_by_the_url_below_which_its_keys_open(endpoint: str, profile: str) -> None:
    credential = of_store(endpoint)

    assert credential.profile == profile
    assert credential.payload == {
        "endpoint": profile,
        "access_key_id": "me",
        "access_key": "secret",
    }


@pytest.mark.parametrize(
    "endpoint",
    ["", "bucket", "s3://", "ftp://bucket", "s3://bucket?a=b", f"s3://{'b' * (URL_CHARS - 4)}"],
)
def test_what_is_no_address_of_a_bucket_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidRequest, match="swift, s3, gs, tos, azure"):
        of_store(endpoint)


@pytest.mark.parametrize("style", ["virtual", "path", "auto"])
def test_what_is_said_beside_the_keys_is_kept(style: str) -> None:
    url = "http://store.example:9000"

    credential = of_store(region="eu-1", override_url=url, addressing_style=style)

    assert credential.payload == {
        "endpoint": "s3://bucket",
        "access_key_id": "me",
        "access_key": "secret",
        "region": "eu-1",
        "override_url": url,
        "addressing_style": style,
    }


def test_the_address_of_a_store_of_ones_own_has_a_bound() -> None:
    longest = f"https://{'s' * (URL_CHARS - 8)}"

    assert of_store(override_url=longest).payload["override_url"] == longest
    for url in (f"{longest}s", "store.example", "ftp://store.example", ""):
        with pytest.raises(InvalidRequest, match="override_url: give the store's address"):
            of_store(override_url=url)


def test_another_style_of_addresses_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="say one of virtual, path, auto"):
        of_store(addressing_style="automatic")


# Which of them opens a URL -----------------------------------------------------------------------


@pytest.mark.parametrize("url", ["s3://bucket/team", "s3://bucket/team/model.pt"])
def test_a_url_is_opened_by_the_longest_profile_that_it_lies_below(url: str) -> None:
    bucket, team = known("z", "s3://bucket"), known("a", "s3://bucket/team")

    assert opening(url, [bucket, team]) is team
    assert opening(url, [team, bucket]) is team
    assert opening("s3://bucket/teams", [team, bucket]) is bucket


def test_of_two_for_the_same_url_it_is_always_the_same_one() -> None:
    first, second = known("a", "s3://bucket"), known("b", "s3://bucket")

    assert opening("s3://bucket/x", [first, second]) is second
    assert opening("s3://bucket/x", [second, first]) is second


def test_nothing_else_opens_a_url() -> None:
    others = [
        known("generic", None, CredentialKind.GENERIC),
        known("registry", "s3://bucket", CredentialKind.REGISTRY),
        known("other", "s3://bucket2"),
        known("empty", None),
    ]

    assert opening("s3://bucket/x", others) is None


@pytest.mark.parametrize(
    ("image", "profile"),
    [
        ("nvcr.io/nvidia/cuda:12.4", "nvcr.io/nvidia"),
        ("nvcr.io/nvidia@sha256:0a", "nvcr.io/nvidia"),
        ("nvcr.io/nvidia2/x", "nvcr.io"),
        ("host:5000/x:1", "host:5000"),
        ("localhost/x", "localhost"),
        ("alpine:3.20", DOCKER_HUB),
        ("team/x", f"{DOCKER_HUB}/team"),
        ("docker.io/team/x:1@sha256:0a", f"{DOCKER_HUB}/team"),
        ("index.docker.io/library/x", DOCKER_HUB),
        ("other.io/nvidia/x", None),
    ],
)
def test_an_image_is_pulled_with_the_login_of_the_longest_name_that_it_lies_below(
    image: str, profile: str | None
) -> None:
    hosts = ("nvcr.io", "nvcr.io/nvidia", "host:5000", "localhost", "", "docker.io/team")
    logins = [of_registry(host).known for host in hosts]
    others = [known("other", "nvcr.io/nvidia/cuda"), known("any", None, CredentialKind.GENERIC)]

    found = pulling(image, [*logins, *others])

    assert (found and found.profile) == profile


@pytest.mark.parametrize(
    ("one", "secret"),
    [
        (generic("a", {"user": "x", "region": "y"}), {"user", "region"}),
        (registry("a", host="nvcr.io", username="u", auth="x"), {"auth"}),
        (
            data(
                "a",
                endpoint="s3://b",
                access_key_id="x",
                access_key="y",
                region="r",
                override_url="https://store.test",
            ),
            {"access_key_id", "access_key"},
        ),
    ],
)
def test_of_a_credential_all_is_secret_but_addresses_and_names(
    one: Credential, secret: set[str]
) -> None:
    assert secret_keys(one.payload) == secret
