"""`cambist dev`: a whole service on this machine, with an issuer that signs for real, in one command."""

from __future__ import annotations

import asyncio
import base64
import secrets
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
from cambist.web.metrics import Metrics
from cambist.zone import TOKEN_EXCHANGE

from . import logs, story, tree
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
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where its files live; else a new folder each time.")
@click.option("--once", is_flag=True, help="Exchange one credential, show how it travelled, and end.")
def dev(port: int, issuer_port: int, folder: Path | None, once: bool) -> None:
    """Serve on this machine with a development issuer, exchange a credential, and show how it travelled."""
    logs.configure("WARNING" if once else "INFO")
    with starting(), _folder(folder) as place:
        asyncio.run(_play(_staged(place, port, issuer_port), once))


@contextmanager
def _folder(named: Path | None) -> Iterator[Path]:
    """The folder that was named, which stays, else one that goes with us."""
    if named is not None:
        named.mkdir(parents=True, exist_ok=True)
        yield named.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="cambist-dev-") as made:
            yield Path(made)


def _staged(folder: Path, port: int, issuer_port: int) -> Stage:
    """Write what is not there yet; what somebody changed in the folder stays changed."""
    issuer = DevelopmentIssuer(f"http://localhost:{issuer_port}", f"http://localhost:{port}")
    _lay(folder / "kek", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    template = files(__package__).joinpath("development.toml").read_text("utf-8")
    values = {"port": str(port), "issuer": issuer.url, "folder": str(folder)}
    _lay(folder / "cambist.toml", _filled(template, values))
    _lay(folder / "grants.json", _filled(files(__package__).joinpath("development.json").read_text("utf-8"), values))
    return Stage(load(folder / "cambist.toml"), issuer, issuer_port, folder)


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
    with holding(addresses(stage.settings.service.listen)) as sockets:
        async with Sts(stage.settings, observers=(metrics,)) as sts, _issuing(stage), asyncio.TaskGroup() as group:
            await opened(sts)
            group.create_task(serve_on(mounted(sts, metrics), sockets.of(0, 1), stage.settings.service.listen, stopped))
            await _answering(f"{stage.url}/health")
            await _show(stage, sts)
            if once:
                stopped.set()
            else:
                click.echo(_invitation(stage))


@asynccontextmanager
async def _issuing(stage: Stage) -> AsyncIterator[None]:
    """The development issuer, served on its own port for as long as the service is."""
    ended, address = asyncio.Event(), ("127.0.0.1", stage.issuer_port)
    with holding([address]) as sockets:
        issuer, listen = Listener(stage.issuer_port, tls=False), Listen(host=address[0])
        task = asyncio.create_task(serve_on({issuer: stage.issuer.app()}, sockets.of(0, 1), listen, ended))
        try:
            await _answering(f"{stage.issuer.url}/jwks.json", task)
            yield
        finally:
            ended.set()
            await task


async def _answering(url: str, server: asyncio.Task[None] | None = None) -> None:
    """Wait until a server answers. Raises what the server raised when it ended instead."""
    async with httpx.AsyncClient(trust_env=False) as http:
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
    async with httpx.AsyncClient(trust_env=False) as http:
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
    click.echo("\n".join(tree.drawn(token, sts.clock())))
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
    return f"""
Try it (the token is good for an hour; {stage.issuer.url}/token?sub=… gives others):

curl --request POST \\
  --url {stage.url}/v1/exchange/token \\
  --header 'Content-Type: application/json' \\
  --data '{body}'

Then ask why:  cambist -c {stage.folder / "cambist.toml"} explain DECISION-ID
Who may get what stands in {stage.folder / "grants.json"}; it is read again when it changes. Ctrl-C ends.
"""
