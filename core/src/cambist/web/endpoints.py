"""Every endpoint once: path to `async (Call) -> Reply`. Whatever serves HTTP mounts this table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..errors import MethodNotAllowed, Refusal, ResponseTypeUnsupported
from ..exchange import exchange
from ..location import Location
from ..settings import REASONS
from ..sts import Sts
from ..wire.call import Call, Dialect, Reply, json_reply
from ..wire.call import Endpoint as Endpoint  # noqa: PLC0414 - where others find it
from ..wire.oauth import OAuth
from ..wire.v1 import V1
from .metrics import Metrics
from .openapi import document
from .published import METADATA_MAX_AGE, jwks, kept, metadata
from .reasons import reasons
from .throttle import Throttle, Visit


def endpoints(sts: Sts, metrics: Metrics) -> Mapping[str, Endpoint]:
    oauth, throttle = OAuth({}, page=sts.settings.service.reasons), Throttle(sts.settings.service.listen.limits)
    table: dict[str, Endpoint] = {
        "/health": reading(health, oauth),
        "/ready": reading(partial(ready, sts), oauth),
        "/metrics": reading(partial(_metrics_text, metrics), oauth),
        "/metrics.json": reading(partial(_metrics_json, metrics), oauth),
        REASONS: reading(reasons, oauth),
        "/openapi.json": reading(partial(openapi, document(sts.settings.service.url)), oauth),
    }
    for zone in sts.settings.zones.values():
        if (here := sts.settings.location(zone)) is not None:
            table |= of_zone(sts, zone.id, here, throttle)
    return table


def of_zone(sts: Sts, zone_id: str, here: Location, throttle: Throttle) -> Mapping[str, Endpoint]:
    """The endpoints of one zone. Of its metadata, both forms that clients look for: inserted (RFC 8414) and appended (OpenID)."""
    zones = dict(sts.settings.zones)
    page = sts.settings.service.reasons
    oauth, v1 = OAuth(zones, zone_id, page), V1(zones, zone_id, page)
    keys, told = reading(partial(jwks, sts, zone_id), oauth), reading(partial(metadata, sts, zone_id), oauth)
    return {
        f"{here.path}/oauth/2/token": exchanging(sts, oauth, throttle),
        f"{here.path}/v1/exchange/token": exchanging(sts, v1, throttle),
        f"{here.path}/oauth/2/authorize": reading(authorize, oauth),
        f"{here.path}/.well-known/jwks.json": keys,
        f"{here.path}/v1/identity/jwks": keys,
        f"{here.path}/.well-known/oauth-authorization-server": told,
        f"{here.path}/.well-known/openid-configuration": told,
        f"/.well-known/oauth-authorization-server{here.inserted}": told,
        f"/.well-known/openid-configuration{here.inserted}": told,
    }


def exchanging(sts: Sts, dialect: Dialect, throttle: Throttle) -> Endpoint:
    """An endpoint that may mint: it tells the story, and nothing else does."""
    deadline = sts.settings.service.deadline

    async def endpoint(call: Call) -> Reply:
        visit = Visit(throttle, call.peer)
        try:
            token = await exchange(sts.zones, sts.ledger, lambda: visit.admitted(dialect.read(call)), deadline=deadline)
        except Refusal as refusal:
            visit.refused(refusal)
            return dialect.refuse(refusal, call)
        visit.proved()
        return dialect.answer(token, call)

    return endpoint


def reading(answer: Endpoint, dialect: Dialect) -> Endpoint:
    """An endpoint that only reads."""

    async def endpoint(call: Call) -> Reply:
        try:
            if call.method not in ("GET", "HEAD"):
                raise MethodNotAllowed(expected="GET", seen=call.method[:20])
            return await answer(call)
        except Refusal as refusal:
            reply = dialect.refuse(refusal, call)
            return with_allow(reply, "GET, HEAD") if reply.status == 405 else reply

    return endpoint


def with_allow(reply: Reply, methods: str) -> Reply:
    kept = tuple((name, value) for name, value in reply.headers if name != "allow")
    return Reply(status=reply.status, body=reply.body, headers=(*kept, ("allow", methods)))


def refusing(sts: Sts, kind: type[Refusal]) -> Endpoint:
    """Nothing here, or nothing that works: told as the JSON endpoint would, whose page has codes for both."""
    dialect = V1(dict(sts.settings.zones), page=sts.settings.service.reasons)

    async def endpoint(call: Call) -> Reply:
        return dialect.refuse(kind(), call)

    return endpoint


async def openapi(whole: Mapping[str, Any], call: Call) -> Reply:
    return kept(call, whole, METADATA_MAX_AGE)


async def authorize(call: Call) -> Reply:
    """Nothing begins in a browser here, and metadata says so; but libraries that look for this endpoint refuse a service without it."""
    raise ResponseTypeUnsupported()


async def health(call: Call) -> Reply:
    """The process answers. Nothing else is asked, so that a dependency that is down does not restart it."""
    return json_reply(200, {"status": "ok"})


async def ready(sts: Sts, call: Call) -> Reply:
    checks = await sts.ready()
    well = all(state == "ok" for state in checks.values())
    warned = {"warnings": dict(warnings)} if (warnings := sts.warnings()) else {}
    return json_reply(200 if well else 503, {"status": "ok" if well else "unavailable", "checks": dict(checks), **warned})


async def _metrics_text(metrics: Metrics, call: Call) -> Reply:
    body, kind = metrics.text()
    return Reply(status=200, body=body, headers=(("content-type", kind), ("cache-control", "no-store")))


async def _metrics_json(metrics: Metrics, call: Call) -> Reply:
    return json_reply(200, metrics.document())
