"""A certificate authority to throw away: it signs one certificate for this machine, and forgets its key."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=90)
LEFT = timedelta(days=1)
"""With less than this left at the start, everything is made anew."""
PASSWORD = "changeit"
"""Of the trust store for Java, which holds nothing secret, but wants one."""
NAME = "localhost"
ADDRESSES = (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where the files are: `authority` is what clients must trust (`java` is the same for Java), the other two are the server's."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def java(self) -> Path:
        return self.folder / "ca.p12"

    @property
    def certificate(self) -> Path:
        return self.folder / "tls.pem"

    @property
    def private_key(self) -> Path:
        return self.folder / "tls.key"

    def variables(self) -> Iterator[tuple[str, str, str]]:
        """What to set so that a client trusts the authority: name, value, and who reads it."""
        yield "SSL_CERT_FILE", str(self.authority), "Python's httpx and openai, Go"
        yield "CURL_CA_BUNDLE", str(self.authority), "curl"
        yield "REQUESTS_CA_BUNDLE", str(self.authority), "Python's requests and google-auth"
        yield "NODE_EXTRA_CA_CERTS", str(self.authority), "Node"
        store = {"": self.java, "Type": "PKCS12", "Password": PASSWORD}
        options = " ".join(f"-Djavax.net.ssl.trustStore{name}={value}" for name, value in store.items())
        yield "JAVA_TOOL_OPTIONS", options, "Java"


def certificates(folder: Path) -> Certificates:
    """Those of a folder; made if there are none, or if they have nearly ended."""
    found = Certificates(folder)
    if not _are_good(found):
        _make(found)
    return found


def _are_good(found: Certificates) -> bool:
    if not all(path.exists() for path in (found.authority, found.java, found.certificate, found.private_key)):
        return False
    return x509.load_pem_x509_certificate(found.certificate.read_bytes()).not_valid_after_utc > datetime.now(UTC) + LEFT


def _make(found: Certificates) -> None:
    key, own = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    authority = _authority(key)
    _write(found.private_key, own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    _write(found.certificate, _leaf(authority, key, own.public_key()).public_bytes(Encoding.PEM))
    trusted = [PKCS12Certificate(authority, b"cambist-dev")]
    _write(found.java, serialize_java_truststore(trusted, BestAvailableEncryption(PASSWORD.encode())))
    _write(found.authority, authority.public_bytes(Encoding.PEM))


def _write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Nobody else may read what is secret, from the first byte on."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    beside.replace(path)


def _authority(key: EllipticCurvePrivateKey) -> x509.Certificate:
    """Whoever trusts it trusts it for this machine only (RFC 5280 section 4.2.1.10), whatever becomes of its key."""
    name = _name("Cambist development authority")
    machine = [x509.DNSName(NAME), *(x509.IPAddress(ipaddress.ip_network(address)) for address in ADDRESSES)]
    builder = _builder(name, name, key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.NameConstraints(machine, None), critical=True)
    return builder.add_extension(_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


def _leaf(authority: x509.Certificate, key: EllipticCurvePrivateKey, public: EllipticCurvePublicKey) -> x509.Certificate:
    names = [x509.DNSName(NAME), *(x509.IPAddress(address) for address in ADDRESSES)]
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    builder = _builder(_name(NAME), authority.subject, public)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(signer, critical=False)
    return builder.add_extension(_usage(signs_certificates=False), critical=True).sign(key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, public: EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = (
        builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + LIFETIME)
    )
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
