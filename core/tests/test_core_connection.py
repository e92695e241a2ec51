"""Whom a name leads to is judged by the very address that is connected to, and TLS goes on asking for the name."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cambist import Unavailable
from cambist import connection as connecting
from cambist.connection import Resolver, trusted, why
from cambist.egress import Egress, EgressSettings
from cambist.jwks import RemoteKeys
from cambist.testing import Forge, MovableClock

NAME = "keys.example"


# ── a server with a certificate of an authority of its own ──────────────────────────────────────────────


@dataclass(frozen=True)
class Authority:
    """Signs certificates for names."""

    folder: Path
    label: str = "authority"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def _built(self, subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        name = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, self.label)]
        now = datetime.datetime.now(datetime.UTC)
        built = x509.CertificateBuilder().subject_name(name[0]).issuer_name(name[1]).public_key(key.public_key())
        built = built.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        built = built.not_valid_after(now + datetime.timedelta(hours=1))
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return built.add_extension(own, critical=False)

    @property
    def file(self) -> Path:
        path = self.folder / f"{self.label}.pem"
        if not path.exists():
            built = self._built(self.label, self.key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            signed = built.add_extension(usage, critical=True).sign(self.key, hashes.SHA256())
            path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, *names: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        signed = self._built(names[0], key).add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = signed.sign(self.key, hashes.SHA256())
        path = self.folder / f"{self.label}-{names[0]}-server.pem"
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


@dataclass
class Served:
    """What came in: one entry for each connection, one head for each request."""

    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    body: bytes = b"{}"


@asynccontextmanager
async def serving(context: ssl.SSLContext | None, host: str = "127.0.0.1", port: int = 0, *, keep: bool = True) -> AsyncIterator[Served]:
    """A server on this machine; without `keep` it answers once on each connection."""
    served = Served()
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            tasks.add(task)
        served.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while keep or not served.heads:
                served.heads.append(await reader.readuntil(b"\r\n\r\n"))
                head = b"HTTP/1.1 200 OK\r\nconnection: %s\r\ncontent-length: %d" % (b"keep-alive" if keep else b"close", len(served.body))
                writer.write(head + b"\r\n\r\n" + served.body)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, host, port, ssl=context)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Names:
    """A resolver that answers as it is told, the last answer for ever, and counts."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)


async def refused(http: Egress, url: str) -> str:
    with pytest.raises(Unavailable) as raised:
        await http.get(url)
    return str(raised.value.facts["cause"])


# ── addresses ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_public_name_of_an_address_in_here_reaches_nobody(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = EgressSettings(ca_file=authority.file)
    async with serving(authority.server(NAME)) as served, Egress(settings, resolve=Names([["127.0.0.1"]])) as http:
        cause = await refused(http, f"https://{NAME}:{served.port}/jwks")
    assert cause == "its address is not public but loopback: name it in egress.private, if it is meant"
    assert served.connections == 0


async def test_a_name_that_is_allowed_is_reached_and_tls_asks_for_the_name(tmp_path: Path) -> None:
    authority, names = Authority(tmp_path), Names([["127.0.0.1"]])
    settings = EgressSettings(ca_file=authority.file, private=[NAME])
    async with serving(authority.server(NAME)) as served, Egress(settings, resolve=names) as http:
        assert (await http.get(f"https://{NAME}:{served.port}/jwks")).body == b"{}"
        await http.get(f"https://{NAME}:{served.port}/jwks")
    assert (served.connections, names.asked) == (1, [NAME])  # one connection serves both
    assert f"host: {NAME}:{served.port}".encode() in served.heads[0].lower()


async def test_a_certificate_for_another_name_is_not_taken_though_the_address_is_right(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    settings = EgressSettings(ca_file=authority.file, private=[NAME])
    other = authority.server("other.example", "127.0.0.1")
    async with serving(other) as served, Egress(settings, resolve=Names([["127.0.0.1"]])) as http:
        assert await refused(http, f"https://{NAME}:{served.port}/") == "ConnectError"
    assert served.heads == []


async def test_a_name_is_asked_for_once_so_that_a_second_answer_cannot_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the first answer would pass the check, the second would be connected to."""
    authority, names = Authority(tmp_path), Names([["127.0.0.2"], ["127.0.0.1"]])
    judged: list[str] = []

    def only_the_first(settings: EgressSettings, host: str, where: str) -> str | None:
        judged.append(where)
        return None if where == "127.0.0.2" else "not the address that was checked"

    monkeypatch.setattr("cambist.egress.objection", only_the_first)
    async with serving(authority.server(NAME)) as inside, serving(authority.server(NAME), "127.0.0.2", inside.port) as outside:
        async with Egress(EgressSettings(ca_file=authority.file), resolve=names) as http:
            await http.get(f"https://{NAME}:{inside.port}/")
        # The next connection asks again, is judged again, and is refused.
        async with Egress(EgressSettings(ca_file=authority.file), resolve=names) as http:
            assert await refused(http, f"https://{NAME}:{inside.port}/") == "not the address that was checked"
    assert (outside.connections, inside.connections) == (1, 0)
    assert judged == ["127.0.0.2", "127.0.0.1"]


@pytest.mark.parametrize(
    "answer",
    [
        ["1.1.1.1", "127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.1"],
        ["100.100.100.200"],
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:1.1.1.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1%lo"],
        ["fd00::1"],
        ["2606:4700::1111", "::1"],
        ["a.example"],
    ],
)
async def test_one_address_out_of_bounds_spoils_the_name(answer: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object, **__: object) -> None:
        pytest.fail("it was connected to")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    async with Egress(EgressSettings(), resolve=Names([answer])) as http:
        assert (await refused(http, f"https://{NAME}/")).startswith("it")


@pytest.mark.parametrize("url", ["https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://0/"])
async def test_an_address_in_disguise_is_judged_as_what_it_leads_to(url: str) -> None:
    async with Egress(EgressSettings()) as http:  # the system's resolver, which takes these for addresses, or for nothing
        cause = await refused(http, url)
    assert "not public" in cause or cause in ("it cannot be read", "ConnectError", "gaierror")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::ffff:1.1.1.1]/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://a.localhost/",
        "https://0.0.0.0/",
        "https://[fe80::1]/",
    ],
)
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
async def test_what_can_be_seen_in_the_url_is_refused_before_anybody_is_asked(url: str, proxy: str | None) -> None:
    names = Names([["1.1.1.1"]])
    async with Egress(EgressSettings.model_validate({"proxy": proxy}), resolve=names) as http:
        assert "not public" in await refused(http, url)
    assert names.asked == []


@pytest.mark.parametrize(
    ("private", "host", "answer", "reached"),
    [
        (["a.internal"], "a.internal", "10.0.0.1", True),
        (["A.Internal."], "a.internal", "10.0.0.1", True),
        (["*.internal"], "a.b.internal", "10.0.0.1", True),
        (["*.internal"], "internal", "10.0.0.1", False),
        (["*.internal"], "ainternal", "10.0.0.1", False),
        (["a.internal"], "b.a.internal", "10.0.0.1", False),
        (["a.internal"], "a.internal", "100.64.0.1", True),
        (["a.internal"], "a.internal", "fd00::1", True),
        (["a.internal"], "a.internal", "169.254.169.254", False),
        (["a.internal"], "a.internal", "224.0.0.1", False),
        (["a.internal"], "a.internal", "0.0.0.0", False),
        (["a.internal"], "a.internal", "::ffff:10.0.0.1", False),
        (["10.0.0.1"], "10.0.0.1", "10.0.0.1", True),
        (["10.0.0.1"], "a.internal", "10.0.0.1", False),
        (["169.254.169.254"], "169.254.169.254", "169.254.169.254", True),
        (["169.254.169.254"], "a.internal", "169.254.169.254", False),
        (["[fd00:0::1]"], "[fd00::1]", "fd00::1", True),
        ([], "a.internal", "10.0.0.1", False),
    ],
)
async def test_a_private_address_is_for_those_who_are_named(
    private: list[str], host: str, answer: str, reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[str] = []

    async def connect(self: object, where: str, *_: object) -> None:
        connected.append(where)
        raise OSError("far enough")

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    async with Egress(EgressSettings.model_validate({"private": private}), resolve=Names([[answer]])) as http:
        cause = await refused(http, f"https://{host}/")
    assert (connected, cause == "OSError") == ([answer] if reached else [], reached)


async def test_plain_http_never_leaves_this_machine_whatever_a_hosts_file_says() -> None:
    async with Egress(EgressSettings(private=["localhost"]), resolve=Names([["10.0.0.1"]])) as http:
        assert await refused(http, "http://localhost/") == "http is for this machine only"


async def test_a_url_of_somebody_elses_does_not_lead_into_this_machine() -> None:
    async with serving(None) as served, Egress(EgressSettings()) as http:
        assert (await http.get(f"http://127.0.0.1:{served.port}/")).status == 200
        for host in ("127.0.0.1", "localhost", "[::1]"):
            with pytest.raises(Unavailable, match="not available"):
                await http.get(f"http://{host}:{served.port}/", foreign=True)
    assert len(served.heads) == 1


async def test_a_dead_address_leaves_time_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    settings = EgressSettings(ca_file=authority.file, private=[NAME], connect_timeout=0.4)
    original = httpcore.AnyIOBackend.connect_tcp

    async def connect(self: Any, host: str, port: int, timeout: float, *rest: Any) -> Any:
        if host == "10.0.0.1":
            await asyncio.sleep(timeout)
            raise httpcore.ConnectTimeout("nobody")
        return await original(self, host, port, timeout, *rest)

    monkeypatch.setattr("httpcore.AnyIOBackend.connect_tcp", connect)
    async with serving(authority.server(NAME)) as served, Egress(settings, resolve=Names([["10.0.0.1", "127.0.0.1"]])) as http:
        assert (await http.get(f"https://{NAME}:{served.port}/")).status == 200


async def test_a_name_that_leads_nowhere_or_not_in_time_is_unavailable() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(5)
        return []

    async with Egress(EgressSettings(connect_timeout=0.02), resolve=never) as http:
        assert await refused(http, f"https://{NAME}/") == "ConnectTimeout"
    async with Egress(EgressSettings(), resolve=Names([[]])) as http:
        assert await refused(http, f"https://{NAME}/") == "ConnectError"


async def test_a_resolver_that_hangs_takes_no_thread_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(connecting, "_looked_up", lambda host, port: release.wait(5) and [])
    resolver = Resolver()
    waiting = [asyncio.create_task(resolver(NAME, 443)) for _ in range(20)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(asyncio.to_thread(lambda: 5), 1) == 5
    release.set()
    assert await asyncio.gather(*waiting) == [[]] * 20
    resolver.close()


# ── authorities and proxies ─────────────────────────────────────────────────────────────────────────────


async def test_an_authority_for_one_host_vouches_for_it_alone(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    settings = EgressSettings(ca_file=ours.file, authorities={"Theirs.example": theirs.file}, private=["*.example"])
    names = Names([["127.0.0.1"]])
    both = ("theirs.example", NAME)
    async with serving(theirs.server(*both)) as b, serving(ours.server(*both)) as a, Egress(settings, resolve=names) as http:
        assert (await http.get(f"https://theirs.example:{b.port}/")).status == 200
        assert (await http.get(f"https://{NAME}:{a.port}/")).status == 200
        assert await refused(http, f"https://theirs.example:{a.port}/") == "ConnectError"
        assert await refused(http, f"https://{NAME}:{b.port}/") == "ConnectError"


async def test_a_proxy_connects_for_us_and_looks_names_up_itself(tmp_path: Path) -> None:
    authority, names = Authority(tmp_path), Names([["127.0.0.1"]])
    heads: list[bytes] = []

    async with serving(authority.server(NAME)) as served:

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            there, onwards = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(_piped(reader, onwards), _piped(there, writer))

        proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        port = proxy.sockets[0].getsockname()[1]
        given = {"ca_file": authority.file, "proxy": f"http://user:secret@proxy.internal:{port}", "private": ["direct.example"]}
        settings = EgressSettings.model_validate(given)
        assert "secret@" not in repr(settings)
        async with proxy, Egress(settings, resolve=names) as http:
            assert (await http.get(f"https://{NAME}/jwks")).body == b"{}"
            assert names.asked == ["proxy.internal"]
            assert await refused(http, f"https://direct.example:{served.port}/") == "ConnectError"  # reached, but not its certificate
            assert names.asked == ["proxy.internal", "direct.example"]
    assert heads[0].startswith(f"CONNECT {NAME}:443 HTTP/1.1".encode())
    assert base64.b64encode(b"user:secret") in heads[0]
    assert len(heads) == 1


async def _piped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65_536):
        writer.write(part)
        await writer.drain()
    writer.close()


# ── who is believed ─────────────────────────────────────────────────────────────────────────────────────


def test_authorities_are_read_once_and_anew_when_their_file_has_changed(tmp_path: Path) -> None:
    """It takes 20 ms, which every worker of a service that starts again would wait for."""
    one, other, file = Authority(tmp_path, "one"), Authority(tmp_path, "other"), tmp_path / "trusted.pem"
    file.write_bytes(one.file.read_bytes())
    before = trusted(file)
    assert trusted(file) is before
    file.write_bytes(one.file.read_bytes() + other.file.read_bytes())
    assert [len(context.get_ca_certs()) for context in (before, trusted(file))] == [1, 2]
    assert trusted(None) is trusted(None)
    assert not {id(trusted(None))} & {id(before), id(trusted(file))}


# ── all of it ───────────────────────────────────────────────────────────────────────────────────────────


async def test_an_issuer_whose_name_moves_in_here_loses_no_token_and_reaches_nobody(tmp_path: Path) -> None:
    """K3: the keys that were good stay good, and what its name leads to now is never called."""
    authority, clock, names = Authority(tmp_path), MovableClock(), Names([["127.0.0.1"]])
    forge = Forge(f"https://{NAME}", "https://sts.example", clock)
    settings = EgressSettings(ca_file=authority.file, private=[NAME])
    async with serving(authority.server(NAME), keep=False) as served, Egress(settings, resolve=names) as http:
        served.body = msgspec.json.encode(forge.jwks)
        keys = RemoteKeys(http, clock, issuer=f"https://{NAME}", jwks_url=f"https://{NAME}:{served.port}/jwks")
        kid = forge.jwks["keys"][0]["kid"]
        assert (await keys.find(kid, "ES256")).kid == kid
        names.answers[:] = [["169.254.169.254"]]
        clock.move(3600)
        assert (await keys.find(kid, "ES256")).kid == kid
        assert "link-local" in str(keys.trouble)
        assert served.connections == 1


def _of_openssl() -> ssl.SSLError:
    """One as OpenSSL makes them, with its reason."""
    with pytest.raises(ssl.SSLError) as raised:
        ssl.create_default_context().load_verify_locations(cadata="no certificate")
    return raised.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (_of_openssl(), "it does not speak TLS as it should: "),
        (socket.gaierror(-2, "unknown"), "its name leads nowhere"),
        (ConnectionRefusedError(), "nobody listens there"),
        (ValueError("of a kind of its own"), None),
        (None, None),
    ],
)
def test_what_kept_a_connection_from_coming_about_is_said_for_an_operator(error: BaseException | None, said: str | None) -> None:
    wrapped = httpcore.ConnectError("wrapped")
    wrapped.__cause__ = error
    found = why(wrapped)
    assert found == said if said is None else found is not None and found.startswith(said)
