"""What is sent outside, to real receivers on this machine: to the address that was held against
the policy, and to no other."""

import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from xylem.domain.target import Address, Policy
from xylem.ports.outside import NotAllowed, NotReached, Reply
from xylem_aws.outside import HttpsOutside

HERE = ip_address("127.0.0.1")
NAME = "ci.example.com"


def loopback(address: Address) -> bool:
    return address.is_loopback


ON_LOOPBACK = Policy(frozenset({"http", "https"}), loopback)


class Receiver(ThreadingHTTPServer):
    """Answers with `status`, and remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__((str(HERE), 0), _Handler)
        self.status = 200
        self.heard: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.heard.append((self.path, headers, body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("location", f"http://{HERE}:{self.server.port}/elsewhere")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Resolver:
    """Each answer once, the last one for ever after."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ip_address(one) for one in answer]


def test_a_receiver_gets_the_body_the_headers_and_its_own_name(receiver: Receiver) -> None:
    outside = HttpsOutside(ON_LOOPBACK, Resolver([str(HERE)]))

    reply = outside.post(f"http://{NAME}:{receiver.port}/a?b=c", {"webhook-id": "1"}, b"{}")

    [(path, headers, body)] = receiver.heard
    assert reply == Reply(200, b"ok")
    assert (path, body) == ("/a?b=c", b"{}")
    assert headers["webhook-id"] == "1"
    assert headers["host"] == f"{NAME}:{receiver.port}"


def test_a_name_is_resolved_once_and_the_connection_goes_where_it_was_then(
    receiver: Receiver,
) -> None:
    """DNS rebinding: the second answer would be another address."""
    resolver = Resolver([str(HERE)], ["127.0.0.2"])
    outside = HttpsOutside(ON_LOOPBACK, resolver)

    outside.post(f"http://{NAME}:{receiver.port}/", {}, b"")

    assert resolver.asked == [NAME]
    assert len(receiver.heard) == 1


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["169.254.169.254"], ["fd00:ec2::254"], ["127.0.0.1", "192.168.0.1"]],
)
def test_a_name_with_an_address_that_may_not_be_is_refused_before_anything_is_sent(
    receiver: Receiver, addresses: list[str]
) -> None:
    outside = HttpsOutside(ON_LOOPBACK, Resolver(addresses))

    with pytest.raises(NotAllowed, match="no public address"):
        outside.post(f"http://{NAME}:{receiver.port}/", {}, b"")
    assert receiver.heard == []


def test_as_it_is_deployed_this_machine_is_no_receiver(receiver: Receiver) -> None:
    for url in (f"https://localhost:{receiver.port}/", f"https://127.0.0.1:{receiver.port}/"):
        with pytest.raises(NotAllowed):
            HttpsOutside().post(url, {}, b"")
    assert receiver.heard == []


def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver) -> None:
    receiver.status = 302
    outside = HttpsOutside(ON_LOOPBACK, Resolver([str(HERE)]))

    assert outside.post(f"http://{NAME}:{receiver.port}/", {}, b"").status == 302
    assert len(receiver.heard) == 1


def test_nobody_there_and_no_name_are_said_without_what_was_sent(receiver: Receiver) -> None:
    def unknown(host: str, port: int) -> list[Address]:
        raise OSError("no such name")

    receiver.shutdown()
    receiver.server_close()
    url = f"http://{NAME}:{receiver.port}/secret-path"

    for resolve in (Resolver([str(HERE)]), unknown):
        with pytest.raises(NotReached) as error:
            HttpsOutside(ON_LOOPBACK, resolve).post(url, {}, b"body")
        assert NAME in str(error.value)
        assert "secret-path" not in str(error.value)


# TLS ---------------------------------------------------------------------------------------------


def a_certificate(folder: Path, name: str) -> Path:
    """Key and certificate in one file, signed by itself, as openssl would make it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{name}.pem"
    file.write_bytes(private + certificate.public_bytes(pem))
    return file


@pytest.mark.parametrize(("of", "taken"), [(NAME, True), ("other.example.com", False)])
def test_the_certificate_is_that_of_the_name_though_the_connection_goes_to_the_address(
    receiver: Receiver, tmp_path: Path, of: str, taken: bool
) -> None:
    file = a_certificate(tmp_path, of)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    outside = HttpsOutside(ON_LOOPBACK, Resolver([str(HERE)]), ca_file=str(file))
    url = f"https://{NAME}:{receiver.port}/"

    if taken:
        assert outside.post(url, {}, b"").status == 200
    else:
        with pytest.raises(NotReached, match="SSLError"):
            outside.post(url, {}, b"")
        assert receiver.heard == []
