"""`cambist dev`: a whole service on this machine, with an issuer that signs for real, in one command."""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec
from joserfc import jwt
from joserfc.jwk import KeySet

from cambist import DidNotStart, Settings, Sts
from cambist.hooks import CanFind
from cambist.settings import Listen, load
from cambist.token_type import JWT
from cambist.web.front import Front
from cambist.web.metrics import Metrics
from cambist.zone import TOKEN_EXCHANGE

from . import logs, story, tree
from .authority import Certificates, certificates
from .decisions import deciding
from .issuer import SUBJECT, DevelopmentIssuer
from .listeners import Listener, addresses, mounted, opened, serve_on
from .output import starting
from .sockets import holding

TARGET = "https://api.target.example.com"
"""The target of the published page's example."""
SCOPE = "read:data"


@dataclass(frozen=True, slots=True)
class Stage:
    """A service for development: its settings, its issuer, and where its files are."""

    settings: Settings
    issuer: DevelopmentIssuer
    issuer_port: int
    folder: Path
    certificates: Certificates | None

    def trust(self) -> ssl.SSLContext:
        """Whom a client of it trusts."""
        return ssl.create_default_context(cafile=self.certificates.authority if self.certificates else None)

    @property
    def url(self) -> str:
        return self.settings.service.url

    def example(self) -> dict[str, str]:
        """The body of the published page's example, with a token that is real."""
        return {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": self.issuer.token(SUBJECT),
            "subject_token_type": JWT,
            "audience": TARGET,
            "scope": SCOPE,
        }


@click.command()
@click.option("--port", default=8693, show_default=True, help="The port of the service.")
@click.option("--issuer-port", default=8692, show_default=True, help="The port of the development issuer.")
@click.option("--tls", is_flag=True, help="Serve HTTPS, with a certificate of an authority made for this folder.")
@click.option("--tls-port", default=8694, show_default=True, help="The port of HTTPS, with --tls.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where its files live; else a new folder each time.")
@click.option("--once", is_flag=True, help="Exchange one credential, show how it travelled, and end.")
def dev(*, port: int, issuer_port: int, tls: bool, tls_port: int, folder: Path | None, once: bool) -> None:
    """Serve on this machine with a development issuer, exchange a credential, and show how it travelled."""
    logs.configure("WARNING" if once else "INFO")
    with starting(), _folder(folder) as place:
        asyncio.run(_play(_staged(place, port, issuer_port, tls_port if tls else None), once))


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The folder that was named, which stays, else one that goes with us."""
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="cambist-dev-") as made:
            yield Path(made)


def _staged(folder: Path, port: int, issuer_port: int, tls_port: int | None) -> Stage:
    """Write what is not there yet; what somebody changed in the folder stays changed. Raises DidNotStart."""
    url = f"https://localhost:{tls_port}" if tls_port is not None else f"http://localhost:{port}"
    issuer = DevelopmentIssuer(f"http://localhost:{issuer_port}", url)
    _lay(folder / "kek", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    template = files(__package__).joinpath("development.toml").read_text("utf-8")
    values = {"url": url, "port": str(port), "tls": _tls(folder, tls_port), "issuer": issuer.url, "folder": str(folder)}
    _lay(folder / "cambist.toml", _filled(template, values))
    _lay(folder / "grants.json", _filled(files(__package__).joinpath("development.json").read_text("utf-8"), values))
    settings = load(folder / "cambist.toml")
    if settings.service.listen.certificate is None and tls_port is not None:
        raise DidNotStart([f"{folder / 'cambist.toml'} is for plain HTTP: take another folder for --tls"])
    has_ours = settings.service.listen.certificate == Certificates(folder).certificate
    return Stage(settings, issuer, issuer_port, folder, certificates(folder) if has_ours else None)


def _tls(folder: Path, port: int | None) -> str:
    """What stands in the settings for HTTPS."""
    if port is None:
        return ""
    files = Certificates(folder)
    return f'tls_port = {port}\ncertificate = "{files.certificate}"\nprivate_key = "{files.private_key}"\n'


def _lay(path: Path, text: str) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")


def _filled(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


async def _play(stage: Stage, once: bool) -> None:
    metrics, stopped = Metrics(), asyncio.Event()
    with holding(addresses(stage.settings.service.listen)) as entrances:
        async with (
            deciding(stage.settings, quiet=once) as logged,
            Sts(stage.settings, observers=(metrics, *logged)) as sts,
            _issuing(stage),
            asyncio.TaskGroup() as group,
        ):
            await opened(sts)
            fronts, listen = mounted(sts, metrics), stage.settings.service.listen
            group.create_task(serve_on(fronts, entrances, listen, stopped, metrics.turned_away))
            await _answering(f"{stage.url}/health", trust=stage.trust())
            await _show(stage, sts)
            if once:
                stopped.set()
            else:
                click.echo(_invitation(stage))


@asynccontextmanager
async def _issuing(stage: Stage) -> AsyncIterator[None]:
    """The development issuer, served on its own port for as long as the service is."""
    ended, address = asyncio.Event(), ("127.0.0.1", stage.issuer_port)
    with holding([address]) as entrances:
        issuer, listen = Listener(stage.issuer_port, tls=False), Listen(host=address[0])
        task = asyncio.create_task(serve_on({issuer: Front(stage.issuer.app())}, entrances, listen, ended))
        try:
            await _answering(f"{stage.issuer.url}/jwks.json", task)
            yield
        finally:
            ended.set()
            await task


async def _answering(url: str, server: asyncio.Task[None] | None = None, trust: ssl.SSLContext | bool = True) -> None:
    """Wait until a server answers. Raises what the server raised when it ended instead."""
    async with httpx.AsyncClient(trust_env=False, verify=trust) as http:
        for _ in range(100):
            if server is not None and server.done():
                server.result()
            try:
                if (await http.get(url)).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise DidNotStart([f"{url} does not answer"])


async def _show(stage: Stage, sts: Sts) -> None:
    """One exchange over HTTP, its token verified by a stock JOSE library against the published keys, and its story."""
    asked = stage.example()
    async with httpx.AsyncClient(trust_env=False, verify=stage.trust()) as http:
        answer = await http.post(f"{stage.url}/v1/exchange/token", json=asked)
        if answer.status_code != 200:
            raise DidNotStart([f"the first exchange was refused: {answer.text}"])
        keys = (await http.get(f"{stage.url}/.well-known/jwks.json")).json()
    token: str = answer.json()["access_token"]
    jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"])
    click.secho("A credential went in:", bold=True)
    click.echo("\n".join(tree.drawn(asked["subject_token"], sts.clock())))
    click.secho("\nA token came out, and verifies with the published keys:", bold=True)
    click.echo(token)
    click.echo("\n".join(tree.drawn(token, sts.clock(), "Its signature was verified as any resource server would.")))
    click.secho("\nHow it travelled:", bold=True)
    record = await _record(sts, answer.headers["cambist-decision-id"])
    click.echo("\n".join(story.told(record)))


async def _record(sts: Sts, decision_id: str) -> Mapping[str, Any]:
    for _, thing in sts.kept:
        if isinstance(thing, CanFind) and (record := await thing.find(decision_id)) is not None:
            return record
    raise DidNotStart(["the ledger does not have the first decision"])


def _invitation(stage: Stage) -> str:
    body = msgspec.json.encode(stage.example()).decode()
    trust = f"\n  --cacert {stage.certificates.authority} \\" if stage.certificates else ""
    return f"""{_trusting(stage.certificates)}
Try it (the token is good for an hour; {stage.issuer.url}/token?sub=… gives others):

curl --request POST \\
  --url {stage.url}/v1/exchange/token \\{trust}
  --header 'Content-Type: application/json' \\
  --data '{body}'

Then ask why:  cambist -c {stage.folder / "cambist.toml"} explain DECISION-ID
Who may get what stands in {stage.folder / "grants.json"}; it is read again when it changes. Ctrl-C ends.
"""


def _trusting(certificates: Certificates | None) -> str:
    """What makes clients trust the service, to copy; each but Node's stands in place of all that its reader trusts otherwise."""
    if certificates is None:
        return ""
    exports = [f"export {name}='{value}'  # {readers}" for name, value, readers in certificates.variables()]
    return "\n".join(["", "Clients trust it with one of these; it is good for this machine only:", "", *exports, ""])
