"""`Outside` over HTTPS: one resolution, every address of it held against the policy, and the
connection to the address that was held, under the name that the certificate has to be for.

urllib3 comes with botocore. Proxies of the environment are not asked: they would resolve anew.
"""

import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from xylem.domain.errors import InvalidRequest
from xylem.domain.target import PUBLIC, Address, Policy, Target, target_of
from xylem.ports.outside import NotAllowed, NotReached, Reply

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
"""The Worker's own time is minutes, but it has a batch of jobs."""

REPLY_BYTES = 64 * 1024

Resolve = Callable[[str, int], Sequence[Address]]


def resolved(host: str, port: int) -> list[Address]:
    """Each once, in the order of the resolver. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # Of a link-local IPv6 address the text goes on with %eth0.
    return list(dict.fromkeys(ip_address(str(one[4][0]).partition("%")[0]) for one in found))


class HttpsOutside:
    """`ca_file`: whom to believe instead of the machine's own list."""

    def __init__(
        self, policy: Policy = PUBLIC, resolve: Resolve = resolved, ca_file: str | None = None
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._ca_file = ca_file

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            target = target_of(url, self._policy)
        except InvalidRequest as error:
            raise NotAllowed(str(error)) from None
        address = self._address(target)
        with self._connection(target, str(address)) as pool:
            try:
                response = pool.urlopen(
                    "POST",
                    target.path,
                    body=body,
                    headers={**headers, "host": target.authority, "user-agent": "xylem"},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                )
                with response:
                    return Reply(response.status, response.read(REPLY_BYTES))
            except (HTTPError, OSError) as error:
                raise NotReached(f"{target.host}: {type(error).__name__}") from None

    def _address(self, target: Target) -> Address:
        """Raises `NotReached`; `NotAllowed` where one of its addresses is not: who mixes them in
        hopes that the other one is taken."""
        try:
            found = self._resolve(target.host, target.port)
        except OSError:
            found = []
        if not found:
            raise NotReached(f"{target.host} has no address")
        for one in found:
            if not self._policy.allowed(one):
                raise NotAllowed(f"{target.host} is {one}, which is no public address")
        return found[0]

    def _connection(self, target: Target, address: str) -> urllib3.HTTPConnectionPool:
        timeout = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        if not target.tls:
            return urllib3.HTTPConnectionPool(address, target.port, timeout=timeout)
        return urllib3.HTTPSConnectionPool(
            address,
            target.port,
            timeout=timeout,
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._ca_file,
            server_hostname=target.host,
            assert_hostname=target.host,
        )
