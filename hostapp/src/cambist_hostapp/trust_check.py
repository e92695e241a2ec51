"""`cambist trust check`: how everybody is who is trusted, and what would become of a sample token. Nothing is minted or spent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from cambist import Settings, Sts
from cambist.judges import Judges, judging
from cambist.settings import suggestion
from cambist.spelling import differences
from cambist.token_type import canonical
from cambist.zone import Zone

from . import trust_report
from .config import settings_of, zone_of
from .output import Exit, as_json, starting
from .trial import Judgement, Sought, Trial
from .trust_sources import Seen, seen


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for. `named` is a plugin, an issuer, or both in this order."""

    named: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    token_type: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found: of each issuer, and of the sample if there is one."""

    zone: str
    issuers: Sequence[Seen]
    token: Sequence[Judgement] | None = None

    @property
    def sound(self) -> bool:
        """A sample is sound that is accepted as something; what else it could be sent as is told beside that."""
        return all(one.sound for one in self.issuers) and (self.token is None or any(one.accepted for one in self.token))


@click.command("check", short_help="Say how every trusted issuer is, and what would become of a sample token.")
@click.argument("named", nargs=-1, metavar="[PLUGIN] [ISSUER]")
@click.option("--token", "token_file", type=click.File("r"), help="A sample token to judge, as the service would; `-`: standard input.")
@click.option("--type", "token_type", help="The token type that it would be sent as; else every type that somebody takes it for.")
@click.option("--json", "in_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def check(ctx: click.Context, named: tuple[str, ...], token_file: Any, token_type: str | None, in_json: bool) -> None:
    """Say how everybody is whom the settings trust: discovery, keys, clock, and who is asked about tokens.

    With a sample, say who takes it and what of it passes and fails. Nothing is minted, and a token that is good once stays good.
    Exit codes: 0 sound, 1 something would fail, 2 the command line is wrong, 3 the settings are.
    """
    settings, zone = settings_of(ctx), zone_of(ctx)
    if zone not in settings.zones:
        raise click.BadParameter(f"no zone {zone!r}; there are {', '.join(settings.zones)}", param_hint="--zone")
    asked = Asked(named=named, token=token_file.read().strip() if token_file else None, token_type=token_type and canonical(token_type))
    with starting():
        found = asyncio.run(_checked(settings, settings.zones[zone], asked))
    if in_json:
        as_json(trust_report.document(found.zone, found.issuers, found.token, found.sound))
    else:
        click.echo("\n".join(trust_report.lines(found.issuers, found.token)))
    sys.exit(Exit.DONE if found.sound else Exit.NO)


async def _checked(settings: Settings, zone: Zone, asked: Asked) -> Found:
    sts = Sts(settings)
    async with sts.only_judges() as zones, judging(zones, zone) as judges:
        sought = _sought(judges, asked)
        issuers = await seen(judges.seated, sought)
        token = None
        if asked.token is not None:
            token = await Trial(judges=judges, revocations=sts.revocations, sought=sought, token=asked.token).judgements()
        return Found(zone=zone.id, issuers=issuers, token=token)


def _sought(judges: Judges, asked: Asked) -> Sought:
    """Raises UsageError for what names nothing: a mistyped issuer is told as that, and not as one that is well."""
    plugins = {one.plugin for one in judges.seated}
    match asked.named:
        case ():
            plugin, issuer = None, None
        case (name,):
            plugin, issuer = (name, None) if name in plugins else (None, name)
        case (name, issuer):
            plugin = name
        case _:
            raise click.UsageError("at most a plugin and an issuer can be named")
    if plugin is not None and plugin not in plugins:
        raise click.UsageError(f"no plugin {plugin!r} judges in zone {judges.zone.id}{suggestion(plugin, sorted(plugins))}")
    sought = Sought(plugin=plugin, issuer=issuer, token_type=asked.token_type)
    if issuer is not None and issuer not in (known := list(_known(judges, sought))):
        raise click.UsageError(f"no plugin trusts {issuer!r}{_alike(issuer, known) or suggestion(issuer, sorted(plugins))}")
    if asked.token_type is not None and asked.token_type not in (types := {name for one in judges.seated for name in one.token_types}):
        raise click.UsageError(f"no plugin takes {asked.token_type}{suggestion(asked.token_type, sorted(types))}")
    return sought


def _known(judges: Judges, sought: Sought) -> Iterator[str]:
    for one in judges.seated:
        if sought.plugin in (None, one.plugin):
            yield from sorted(one.issuers or ())


def _alike(issuer: str, known: Sequence[str]) -> str:
    for name in known:
        if found := differences(name, issuer):
            return f"; {name!r} differs by {' and '.join(found)}"
    return suggestion(issuer, list(known))
