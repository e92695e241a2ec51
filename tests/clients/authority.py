"""A throw-away certificate authority: clients insist on https, and each has its own way to be told whom to trust."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

PASSWORD = "changeit"
"""Java's own default."""


@dataclass(frozen=True)
class Authority:
    """The files: whom to trust (`ca`, for Java `truststore`), and what serves `localhost`."""

    ca: Path
    truststore: Path
    certificate: Path
    key: Path


def authority(folder: Path) -> Authority:
    """One that signs a certificate for localhost, and then is forgotten."""
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ours = _name("Cambist tests")
    ca = _built(ours, ours, root, root, x509.BasicConstraints(ca=True, path_length=0))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    served = _built(_name("localhost"), ours, leaf, root, names)
    store = pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(ca, b"cambist")], BestAvailableEncryption(PASSWORD.encode()))
    files = Authority(*(folder / name for name in ("ca.pem", "trust.p12", "server.pem", "server.key")))
    files.ca.write_bytes(ca.public_bytes(Encoding.PEM))
    files.truststore.write_bytes(store)
    files.certificate.write_bytes(served.public_bytes(Encoding.PEM))
    files.key.write_bytes(leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _built(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now - dt.timedelta(minutes=5)).not_valid_after(now + dt.timedelta(hours=2))
    return dated.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints)).sign(signer, hashes.SHA256())
