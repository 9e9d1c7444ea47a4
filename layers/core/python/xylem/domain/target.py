"""Where the service may be sent by somebody's URL: to public addresses, by HTTPS, and nowhere else.

A name is resolved once, every address that it has is held against this, and the connection goes to
the address that was held: a name that means another address a moment later (DNS rebinding) gains
nothing. What an address wraps (IPv4 in IPv6, a tunnel, a translation) is what counts.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from xylem.domain.errors import InvalidRequest
from xylem.domain.values import dataclass

Address = IPv4Address | IPv6Address

URL_CHARS = 1024

NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
"""RFC 6052 and RFC 8215: an IPv4 address in the last 32 bits."""


@dataclass(frozen=True, slots=True)
class Target:
    host: str
    port: int
    path: str
    tls: bool = True

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.tls else 80)
        return host if usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Policy:
    """Which schemes and addresses there are. Tests have another one, for a receiver of theirs."""

    schemes: frozenset[str]
    allowed: Callable[[Address], bool]


def public(address: Address) -> bool:
    """One that the whole Internet knows, and no other within it."""
    return all(one.is_global and not one.is_multicast for one in _meant(address))


def _meant(address: Address) -> tuple[Address, ...]:
    """The address, and those that it wraps."""
    if isinstance(address, IPv4Address):
        return (address,)
    inner: list[Address] = []
    if address.ipv4_mapped is not None:
        # The wrapper is nobody's address; what it wraps decides.
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner.extend(address.teredo)
    if any(address in network for network in NAT64):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address, *inner)


PUBLIC = Policy(frozenset({"https"}), public)

WITH_THIS_MACHINE = Policy(
    frozenset({"http", "https"}), lambda address: address.is_loopback or public(address)
)
"""Of a stack on somebody's own machine, whose receivers are there, too."""


def target_of(url: str, policy: Policy = PUBLIC) -> Target:
    """Raises `InvalidRequest` for what is no URL, or names an address that may not be."""
    schemes = " or ".join(sorted(policy.schemes))
    if len(url) > URL_CHARS or not url.isascii() or any(not "!" <= one <= "~" for one in url):
        raise _wrong(f"url: write {schemes}://HOST/PATH in {URL_CHARS} characters of ASCII.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong(f"url: write {schemes}://HOST/PATH.") from None
    if parts.scheme not in policy.schemes or not parts.hostname:
        raise _wrong(f"url: write {schemes}://HOST/PATH.")
    if parts.username is not None or parts.password is not None:
        raise _wrong("url: it holds a name or password: what is sent is signed instead.")
    if parts.fragment:
        raise _wrong("url: a fragment (#...) is never sent: leave it out.")
    tls = parts.scheme == "https"
    target = Target(
        parts.hostname,
        port or (443 if tls else 80),
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        tls,
    )
    literal = _literal(target.host)
    if literal is not None and not policy.allowed(literal):
        raise _wrong(f"url: {target.host} is no public address.")
    return target


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="USER")
