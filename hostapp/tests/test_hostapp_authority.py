"""The certificates of `cambist dev --tls`: good for this machine, for clients of all kinds, and for nothing else."""

from __future__ import annotations

import ipaddress
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from habits.parts import program

from cambist_hostapp import authority
from cambist_hostapp.authority import LEFT, LIFETIME, PASSWORD, Certificates, certificates


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificates(tmp_path)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_strict_client_takes_the_certificate_for_every_name_of_this_machine(made: Certificates, name: str) -> None:
    subject: x509.GeneralName = x509.DNSName(name) if name == "localhost" else x509.IPAddress(ipaddress.ip_address(name))
    verifier = PolicyBuilder().store(Store([_read(made.authority)])).build_server_verifier(subject)  # type: ignore[arg-type]  # both kinds are taken
    assert len(verifier.verify(_read(made.certificate), [])) == 2


def test_a_client_does_not_take_it_for_another_machine(made: Certificates) -> None:
    verifier = PolicyBuilder().store(Store([_read(made.authority)])).build_server_verifier(x509.DNSName("sts.example.com"))
    with pytest.raises(VerificationError):
        verifier.verify(_read(made.certificate), [])


def test_who_stole_the_authoritys_key_could_sign_for_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    key, own = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    root = authority._authority(key)
    monkeypatch.setattr(authority, "NAME", "bank.example.com")
    stolen = authority._leaf(root, key, own.public_key())
    verifier = PolicyBuilder().store(Store([root])).build_server_verifier(x509.DNSName("bank.example.com"))
    with pytest.raises(VerificationError, match=r"(?i)constraint"):
        verifier.verify(stolen, [])


def test_the_key_of_the_authority_is_written_nowhere_and_that_of_the_server_is_its_owners(made: Certificates) -> None:
    assert sorted(path.name for path in made.folder.iterdir()) == ["ca.p12", "ca.pem", "tls.key", "tls.pem"]
    assert made.private_key.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" not in made.authority.read_bytes() + made.certificate.read_bytes()
    assert load_pkcs12(made.java.read_bytes(), PASSWORD.encode()).key is None


def test_the_trust_store_for_java_holds_the_same_authority(made: Certificates) -> None:
    (trusted,) = load_pkcs12(made.java.read_bytes(), PASSWORD.encode()).additional_certs
    assert trusted.certificate.fingerprint(hashes.SHA256()) == _read(made.authority).fingerprint(hashes.SHA256())


def test_they_stay_until_they_have_nearly_ended(made: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    before = made.certificate.read_bytes()
    assert certificates(made.folder).certificate.read_bytes() == before

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> Later:
            return cls.fromtimestamp((datetime.now(UTC) + LIFETIME - LEFT + timedelta(minutes=1)).timestamp(), UTC)

    monkeypatch.setattr(authority, "datetime", Later)
    assert certificates(made.folder).certificate.read_bytes() != before


@pytest.mark.parametrize("name", ["authority", "java", "certificate", "private_key"])
def test_what_is_missing_is_made_anew_together_with_the_rest(made: Certificates, name: str) -> None:
    before = made.certificate.read_bytes()
    getattr(made, name).unlink()
    assert certificates(made.folder).certificate.read_bytes() != before
    assert getattr(made, name).exists()


def test_every_variable_names_a_file_that_is_there(made: Certificates) -> None:
    told = {name: value for name, value, _ in made.variables()}
    assert told.keys() == {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "JAVA_TOOL_OPTIONS"}
    assert f"-Djavax.net.ssl.trustStore={made.java} " in told.pop("JAVA_TOOL_OPTIONS")
    assert set(told.values()) == {str(made.authority)}


def test_openssl_verifies_it_strictly(made: Certificates) -> None:
    trusted = ["-CAfile", str(made.authority), str(made.certificate)]
    command: list[str] = [str(program("openssl")), "verify", "-x509_strict", "-verify_hostname", "localhost", *trusted]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
