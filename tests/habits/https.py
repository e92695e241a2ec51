"""A server on this machine whose answers a test gives, by HTTP or by HTTPS under an authority of its own."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Reply:
    """An answer; without a `date` among its headers, of this moment."""

    status: int
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[str, str, Mapping[str, str], bytes], Reply]
"""Method, path, headers by names in lower case, and body."""


def authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Certificates to trust, and a server's context with one of theirs for `localhost`."""
    now, keys = datetime.datetime.now(datetime.UTC), [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the authority of a test")])

    def built(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(root).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
        return builder.not_valid_after(now + datetime.timedelta(hours=1)).add_extension(own, critical=False)

    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = built(root, keys[0]).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    ca = ca.add_extension(usage, critical=True)
    ca = ca.add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key()), critical=False)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    leaf = built(name, keys[1]).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "ca.crt").write_bytes(ca.sign(keys[0], hashes.SHA256()).public_bytes(pem))
    key = keys[1].private_bytes(pem, private, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(key + leaf.sign(keys[0], hashes.SHA256()).public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return folder / "ca.crt", context


@contextmanager
def answering(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of the server, until the block ends: https://localhost:… with a context, and else http://127.0.0.1:…"""

    class Answering(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            given = {name.lower(): value for name, value in self.headers.items()}
            reply = answer(self.command, self.path, given, body)
            content = json.dumps(reply.document).encode()
            length = {"content-type": "application/json", "content-length": str(len(content))}
            self.send_response_only(reply.status)
            for name, value in {"date": self.date_time_string(), **length, **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *said: object) -> None:
            """Nothing, for tests are quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{'http://127.0.0.1' if context is None else 'https://localhost'}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
