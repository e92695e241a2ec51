"""A service to which bytes are sent by hand: what no HTTP client would send, and what comes back."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cambist.client_secret import hash_secret
from cambist.testing.serving import Served, serve

ISSUER = "https://sts.example.test"
TARGET = "https://orders.example.test"
SECRET = "correct horse battery staple"
PATIENCE = 5.0
"""Seconds that an answer is waited for."""
SERVERS = ("hypercorn", "uvicorn")


@dataclass(frozen=True)
class Answer:
    """One answer, as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Heard:
    """All that was sent back over one connection, and whether the server ended it."""

    raw: bytes
    closed: bool

    @property
    def answers(self) -> list[Answer]:
        return list(_answers(self.raw))

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


@dataclass(frozen=True)
class Raw:
    """A running service, its port, and what it counts."""

    served: Served

    def connect(self, address: str = "127.0.0.1") -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.served.port), PATIENCE, source_address=(address, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, *pieces: bytes, pause: float = 0.0, until: int = 0, address: str = "127.0.0.1", half: bool = False) -> Heard:
        """Send the pieces, and hear until the server ends the connection, or `until` so many answers came; `half` ends our half first."""
        with self.connect(address) as connection:
            for place, piece in enumerate(pieces):
                if place:
                    time.sleep(pause)
                with suppress(OSError):  # a server that refuses early need not hear all of it
                    connection.sendall(piece)
            if half:
                connection.shutdown(socket.SHUT_WR)
            return hear(connection, until)

    def decisions(self) -> int:
        """How many decisions were taken: each is observed before its answer leaves."""
        told = self.ask(head(b"GET /metrics.json HTTP/1.1", b"Host: sts.example.test", b"Connection: close")).answers[0].document
        return int(sum(sample["value"] for sample in told.get("cambist_decisions_total", ())))

    @property
    def memory(self) -> int:
        """Bytes that the first worker holds."""
        return int(Path(f"/proc/{self.served.pids[0]}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def files(self) -> int:
        """How many files, and so connections, the first worker has open."""
        return len(list(Path(f"/proc/{self.served.pids[0]}/fd").iterdir()))

    def works(self) -> bool:
        """The control: a good exchange is answered with a token, and decided once."""
        before = self.decisions()
        heard = self.ask(exchange(close=True))
        return heard.statuses == [200] and "access_token" in heard.answers[0].document and self.decisions() == before + 1


@contextmanager
def raw_service(
    folder: Path, server: Any, limits: Mapping[str, Any] | None = None, modules: Mapping[str, str] | None = None, **listen: Any
) -> Iterator[Raw]:
    """Every embedded default, two applications with a secret, and what they may ask for; `modules` decide instead of the default policy."""
    grants = {"cambist": {"zones": {"default": {"grants": {ISSUER: {"app": {TARGET: {"scopes": ["read"]}}}}}}}}
    (folder / "grants.json").write_text(json.dumps(grants), "utf-8")
    app = {"secret_hash": hash_secret(SECRET), "grants": ["client_credentials"]}
    settings = {
        "issuer": ISSUER,
        "bootstrap": True,
        "applications": {"app": app, "other": app},
        "listen": {**listen, "limits": dict(limits or {})},
        "plugins": {
            **({} if modules else {"opa-wasm": {"data": str(folder / "grants.json")}}),
            "keys-file": {"directory": str(folder / "keys"), "kek": "4b" * 32},
            "sqlite": {"path": str(folder / "cambist.sqlite")},
        },
    }
    with serve(settings, server=server, modules=modules) as served:
        yield Raw(served)


def form(client: str = "app", secret: str = SECRET) -> bytes:
    parameters = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret, "resource": TARGET, "scope": "read"}
    return urlencode(parameters).encode()


def exchange(*headers: bytes, body: bytes | None = None, start: bytes = b"POST /oauth/2/token HTTP/1.1", close: bool = False) -> bytes:
    """A good request that mints; `headers` come beside its own."""
    sent = form() if body is None else body
    own = (b"Host: sts.example.test", b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: %d" % len(sent))
    return head(start, *own, *headers, *((b"Connection: close",) if close else ())) + sent


def head(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def health(*headers: bytes) -> bytes:
    return head(b"GET /health HTTP/1.1", b"Host: sts.example.test", *headers)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def hear(connection: socket.socket, until: int = 0) -> Heard:
    heard, deadline = bytearray(), time.monotonic() + PATIENCE
    with suppress(TimeoutError):
        while not until or len(list(_answers(bytes(heard)))) < until:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                piece = connection.recv(65_536)
            except ConnectionError:
                piece = b""
            if not piece:
                return Heard(bytes(heard), closed=True)
            heard += piece
    return Heard(bytes(heard), closed=False)


def _answers(raw: bytes) -> Iterator[Answer]:
    while raw.startswith(b"HTTP/1.1 ") and b"\r\n\r\n" in raw:
        first, _, rest = raw.partition(b"\r\n\r\n")
        lines = first.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        yield Answer(int(lines[0][9:12]), headers, rest[:length])
        raw = rest[length:]
