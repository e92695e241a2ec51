"""Looks at everybody who is trusted, at once, so that ten issuers that are down take no longer than one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from cambist.check import Check, Source, State, Trust
from cambist.errors import PluginFault, Refusal
from cambist.fence import fenced
from cambist.hooks import CanDiagnose
from cambist.validator import Seated

from .trial import Sought


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One issuer as it is now, and whose issuer it is."""

    plugin: str
    trust: Trust
    checks: Sequence[Check]

    @property
    def sound(self) -> bool:
        return all(check.state is not State.FAILED for check in self.checks)


async def seen(seated: Sequence[Seated], sought: Sought) -> Sequence[Seen]:
    """All that were sought, in the order of the settings."""
    found = [(one.plugin, trust) for one in seated if sought.plugin in (None, one.plugin) for trust in _trusts(one)]
    wanted = [(plugin, trust) for plugin, trust in found if sought.issuer in (None, trust.issuer, f"{plugin}:{trust.name}")]
    return await asyncio.gather(*(_seen(plugin, trust) for plugin, trust in wanted))


def _trusts(seated: Seated) -> Sequence[Trust]:
    if not isinstance(seated.validator, CanDiagnose):
        return ()
    with fenced(seated.plugin):
        return seated.validator.trusts


async def _seen(plugin: str, trust: Trust) -> Seen:
    looked = await asyncio.gather(*(_looked(plugin, source) for source in trust.sources))
    return Seen(plugin=plugin, trust=trust, checks=[check for checks in looked for check in checks])


async def _looked(plugin: str, source: Source) -> Sequence[Check]:
    try:
        with fenced(plugin):
            return await source.look()
    except (PluginFault, Refusal) as refusal:
        return [Check.refused("source", refusal)]
