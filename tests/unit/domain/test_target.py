"""Where somebody's URL may lead: no address of ours, of the cloud's, or of whoever's network."""

from ipaddress import ip_address

import pytest

from xylem.domain.errors import InvalidRequest
from xylem.domain.target import WITH_THIS_MACHINE, Target, public, target_of

PUBLIC_ONES = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
OTHERS = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.9.10",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("text", PUBLIC_ONES)
def test_an_address_that_the_whole_internet_knows_is_public(text: str) -> None:
    assert public(ip_address(text))


@pytest.mark.parametrize("text", OTHERS)
def test_private_link_local_and_reserved_ones_are_not_however_they_are_wrapped(text: str) -> None:
    assert not public(ip_address(text))


def test_a_url_is_a_host_a_port_and_a_path() -> None:
    assert target_of("https://ci.example.com/a/b?c=d") == Target("ci.example.com", 443, "/a/b?c=d")
    assert target_of("https://ci.example.com:8443").authority == "ci.example.com:8443"
    assert target_of("https://[2606:4700::1111]/").authority == "[2606:4700::1111]"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://ci.example.com/", "https://"),
        ("ftp://ci.example.com/", "https://"),
        ("https://", "https://"),
        ("https:///x", "https://"),
        ("ci.example.com", "https://"),
        ("https://user:pw@ci.example.com/", "signed instead"),
        ("https://ci.example.com/#x", "fragment"),
        ("https://ci.example.com:99999/", "HOST/PATH"),
        ("https://ci.example.com/\r\nHost: other", "ASCII"),
        ("https://ci.exämple.com/", "ASCII"),
        ("https://ci.example.com/" + "a" * 1024, "1024 characters"),
        ("https://[::1", "HOST/PATH"),
        ("https://127.0.0.1/", "no public address"),
        ("https://[::ffff:10.0.0.1]/", "no public address"),
        ("https://169.254.169.254/latest/meta-data/", "no public address"),
    ],
)
def test_any_other_text_is_refused_with_what_to_write(url: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        target_of(url)


def test_a_stack_on_somebodys_machine_reaches_receivers_there_and_no_network_of_his() -> None:
    assert target_of("http://127.0.0.1:9/", WITH_THIS_MACHINE).tls is False

    with pytest.raises(InvalidRequest, match="no public address"):
        target_of("http://192.168.1.1/", WITH_THIS_MACHINE)
