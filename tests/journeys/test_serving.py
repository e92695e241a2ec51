"""`cambist serve`, as an operator runs it: TLS, what is never in the clear, stopping, and refusing to start."""

from __future__ import annotations

import datetime as dt
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from habits.running import free_port, running
from habits.served import CAMBIST, address, served


def self_signed(folder: Path, name: str) -> Path:
    """A certificate for localhost, and beside it (`.key`) its private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(private)
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
    return folder / f"{name}.pem"


def secure(folder: Path, more: str = "") -> tuple[list[str], str, str]:
    """The command of a service with TLS, its HTTPS URL and its plain one."""
    certificate, tls, plain = self_signed(folder, "server"), free_port(), free_port()
    (folder / "cambist.toml").write_text(
        f'issuer = "https://localhost:{tls}"\n[listen]\nhost = "localhost"\nport = {plain}\ntls_port = {tls}\n'
        f'certificate = "{certificate}"\nprivate_key = "{certificate.with_suffix(".key")}"\n{more}\n[plugins.opa-wasm]\n',
        "utf-8",
    )
    return [*CAMBIST, "-c", str(folder / "cambist.toml"), "serve"], f"https://localhost:{tls}", f"http://localhost:{plain}"


def trusting(folder: Path, client: Path | None = None) -> httpx.Client:
    trust = ssl.create_default_context(cafile=folder / "server.pem")
    if client is not None:
        trust.load_cert_chain(client, client.with_suffix(".key"))
    return httpx.Client(verify=trust, trust_env=False, timeout=10)


def test_with_tls_everything_is_served_and_the_plain_port_takes_no_credential(tmp_path: Path) -> None:
    command, https, plain = secure(tmp_path)
    with running(command, f"{plain}/health", tmp_path / "log"), trusting(tmp_path) as http:
        assert http.get(f"{https}/ready").status_code == 200
        assert http.post(f"{https}/v1/exchange/token", json={}).json()["reason"] == "parameter_missing"
        assert http.get(f"{plain}/.well-known/jwks.json").json()["keys"]
        for path in ("/v1/exchange/token", "/oauth/2/token", "/ready", "/metrics"):
            refusal = http.post(f"{plain}{path}", json={})
            assert (refusal.status_code, refusal.json()["reason"]) == (404, "path_unknown")


def test_with_a_client_authority_a_handshake_without_a_certificate_fails(tmp_path: Path) -> None:
    client = self_signed(tmp_path, "client")
    command, https, plain = secure(tmp_path, f'client_ca = "{client}"')
    with running(command, f"{plain}/health", tmp_path / "log"):
        with trusting(tmp_path) as nobody, pytest.raises(httpx.TransportError):
            nobody.get(f"{https}/health")
        with trusting(tmp_path, client) as somebody:
            assert somebody.get(f"{https}/health").status_code == 200


def test_sigterm_ends_it_in_peace(tmp_path: Path) -> None:
    url = address()
    with served(tmp_path, url, "", {}):
        pass
    command = [*CAMBIST, "-c", str(tmp_path / "cambist.toml"), "serve"]
    with running(command, f"{url}/ready", tmp_path / "log") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert "Traceback" not in (tmp_path / "log").read_text("utf-8")


def test_what_was_accepted_is_answered_before_it_stops(tmp_path: Path) -> None:
    url = address()
    with served(tmp_path, url, "", {}):
        pass
    body, port = b'{"grant_type": "x"}', httpx.URL(url).port
    command = [*CAMBIST, "-c", str(tmp_path / "cambist.toml"), "serve"]
    with (
        running(command, f"{url}/ready", tmp_path / "log") as process,
        socket.create_connection(("localhost", port or 0), timeout=10) as wire,
    ):
        lines = ("POST /v1/exchange/token HTTP/1.1", "host: localhost", "content-type: application/json", f"content-length: {len(body)}")
        wire.sendall("\r\n".join((*lines, "", "")).encode() + body[:5])
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200  # by now the half request is being read
        process.send_signal(signal.SIGTERM)
        wire.sendall(body[5:])
        assert b"unsupported_grant_type" in b"".join(iter(lambda: wire.recv(65_536), b""))
        assert process.wait(15) == 0


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ('host = "0.0.0.0"', "can be reached by others"),
        ('host = "127.0.0.1"\ncertificate = "x.pem"', "belong together"),
        ('host = "127.0.0.1"\nprot = 1', "listen.prot: unknown; did you mean port?"),
    ],
)
def test_settings_that_are_wrong_keep_it_shut_in_one_sentence_each(listen: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "cambist.toml").write_text(f'issuer = "https://sts.example.test"\n[listen]\n{listen}\n[plugins.opa-wasm]\n')
    command = [*CAMBIST, "-c", str(tmp_path / "cambist.toml"), "serve"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3
    assert said in done.stderr
    assert "Traceback" not in done.stderr
