"""Behind a real nginx, with the settings and the configuration of the how-to as they stand there."""

from __future__ import annotations

import datetime
import socket
import ssl
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from habits.pages import blocks
from habits.raw import Raw, form, raw_service
from habits.running import free_port
from habits.workspace import ROOT

PAGE = ROOT / "docs" / "how-to" / "run-behind-a-proxy.md"
NAME = "sts.example.com"


@dataclass(frozen=True)
class Proxied:
    """The service as its clients see it: by TLS, through nginx."""

    port: int
    trust: ssl.SSLContext
    raw: Raw

    @contextmanager
    def client(self, address: str) -> Iterator[httpx.Client]:
        """One that connects from this address of the machine."""
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        with httpx.Client(transport=transport, base_url=f"https://127.0.0.1:{self.port}", trust_env=False, timeout=10) as client:
            yield client

    def ask(self, client: httpx.Client, *, secret: bytes | None = None, **headers: str) -> httpx.Response:
        kind = {"content-type": "application/x-www-form-urlencoded", "host": NAME}
        body = form() if secret is None else form(secret=secret.decode())
        sent = kind | {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post("/oauth/2/token", content=body, headers=sent, extensions={"sni_hostname": NAME})


@pytest.fixture(scope="module")
def proxied(nginx: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    """One for all tests; each asks from addresses of its own."""
    folder = tmp_path_factory.mktemp("proxied")
    [settings] = [tomllib.loads(block) for block in blocks(PAGE, "toml")]
    limits = {"address_rate": 0.02, "address_burst": 5, "failures": 3}
    with raw_service(folder, "uvicorn", limits, **settings["listen"]) as raw:
        port = free_port()
        certificate = _certified(folder)
        with _serving(nginx, folder / "nginx", port, raw.served.port, certificate):
            yield Proxied(port, ssl.create_default_context(cafile=certificate), raw)


def test_an_exchange_goes_through_the_proxy_and_carries_its_request_id(proxied: Proxied) -> None:
    with proxied.client("127.0.0.2") as client:
        answers = [proxied.ask(client, x_forwarded_host="evil.example", forwarded="for=203.0.113.9;host=evil.example") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "evil" not in answers[0].text
    assert len({answer.headers["x-request-id"] for answer in answers}) == 2


def test_what_is_for_operators_is_not_reached_through_the_proxy(proxied: Proxied) -> None:
    with proxied.client("127.0.0.3") as client:
        asked = {path: client.get(path, extensions={"sni_hostname": NAME}).status_code for path in PATHS}
    assert asked == PATHS


PATHS = {
    "/health": 200,
    "/reasons": 200,
    "/.well-known/jwks.json": 200,
    "/.well-known/oauth-authorization-server": 200,
    "/ready": 404,
    "/metrics": 404,
    "/metrics.json": 404,
    "/internal/policy/simulate": 404,
    "/health/../metrics": 404,
}


def test_who_asks_too_often_holds_up_nobody_else_behind_the_same_proxy(proxied: Proxied) -> None:
    with proxied.client("127.0.0.4") as busy, proxied.client("127.0.0.5") as other:
        assert [proxied.ask(busy).status_code for _ in range(6)] == [200] * 5 + [429]
        assert proxied.ask(busy, x_forwarded_for="198.51.100.7").status_code == 429
        assert proxied.ask(other).status_code == 200


def test_who_guesses_secrets_locks_nobody_else_out_behind_the_same_proxy(proxied: Proxied) -> None:
    with proxied.client("127.0.0.6") as guessing, proxied.client("127.0.0.7") as other:
        assert proxied.ask(other).status_code == 200
        assert [proxied.ask(guessing, secret=b"wrong").status_code for _ in range(4)] == [401] * 3 + [429]
        assert proxied.ask(other).status_code == 200


def _certified(folder: Path) -> Path:
    """A certificate of its own authority for the name of the page, with its key beside it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    certificate = folder / "sts.pem"
    certificate.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "sts.key").write_bytes(key.private_bytes(*private))
    return certificate


@contextmanager
def _serving(nginx: Path, folder: Path, port: int, service: int, certificate: Path) -> Iterator[None]:
    """The page's configuration, but for ports and places, in a folder of its own."""
    folder.mkdir()
    [page] = blocks(PAGE, "nginx")
    page = page.replace("listen 443", f"listen 127.0.0.1:{port}").replace("127.0.0.1:8693", f"127.0.0.1:{service}")
    page = page.replace("/etc/nginx/sts.pem", str(certificate)).replace("/etc/nginx/sts.key", str(certificate.with_suffix(".key")))
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    main = f"daemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{page}}}\n"
    (folder / "nginx.conf").write_text(main, "utf-8")
    command = [str(nginx), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
    subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=30)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait(port, process, folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except ConnectionRefusedError:
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
        time.sleep(0.02)
