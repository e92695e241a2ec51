"""The story of one exchange. `consider` only reads; `fulfil` only writes."""

from __future__ import annotations

from collections.abc import Callable

from .audit import Ledger
from .caller import authenticate, calling, subject_of
from .clock import within
from .delegation import delegated
from .entitlement import Entitlement
from .identifier import identifier
from .open_zone import OpenZone, Zones
from .policy import PolicyInput, ask
from .possession import possessed
from .request import ExchangeRequest
from .spend import spend
from .standing import standing
from .target import targets
from .token import MintedToken, draft, mint
from .trace import Trace


async def exchange(zones: Zones, ledger: Ledger, read: Callable[[], ExchangeRequest], *, deadline: float) -> MintedToken:
    """One request in, one token out. Raises Refusal, and nothing else; either way the ledger has one record of it."""
    async with ledger.entry() as trace:
        request = trace.saw("request", read())
        zone = await trace.step("zone", zones.named(request.zone_id))
        ruling = await within(deadline, "the decision", consider(zone, request, trace))
        return await within(deadline, "the issue of the token", fulfil(zone, ruling, trace))


async def consider(zone: OpenZone, request: ExchangeRequest, trace: Trace) -> Entitlement:
    """Prove, ask, narrow: nothing is spent and nothing is written."""
    held = trace.saw("possession", possessed(request.presented))
    client = await trace.step("client", authenticate(zone.zone, zone.guard, request, held))
    owned = zone.zone.owned_by(client.id) if client else frozenset()
    subject = await trace.step("subject", subject_of(zone.guard, request, client, held, owned))
    wanted = trace.saw("targets", targets(zone.zone, request, client, subject))
    actor = await trace.step("actor", zone.guard.prove(request.actor, held, owned)) if request.actor else None
    caller = calling(client, subject, identifier(zone.zone, subject.identity), request)
    chain = trace.saw("delegation", delegated(zone.zone, subject, actor, caller))
    question = trace.saw(
        "question",
        PolicyInput(
            zone=zone.zone, now=zone.clock(), request=request, client=caller, subject=subject, actor=actor, chain=chain, targets=wanted
        ),
    )
    await trace.step("standing", standing(zone.revocations, question))
    answer = await trace.step("policy", ask(zone.policy, question))
    return trace.saw("ruling", Entitlement.narrowest(question, answer))


async def fulfil(zone: OpenZone, ruling: Entitlement, trace: Trace) -> MintedToken:
    """Key, draft, spend, mint, in this order: neither a dead key store nor a token that nobody would take burns anything."""
    key = await trace.step("key", zone.keys.signing(zone.zone.id))
    drafted = trace.saw("draft", draft(zone.zone, ruling, key, trace.decision_id))
    await trace.step("spend", spend(zone.store, ruling.marks))
    return await trace.step("mint", mint(drafted, key, trace.decision_id))
