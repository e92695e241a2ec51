"""Every endpoint once: path to `async (Call) -> Reply`. Whatever serves HTTP mounts this table."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from ..errors import MethodNotAllowed, ParameterInvalid, Refusal, ZoneUnknown
from ..exchange import exchange
from ..sts import Sts
from ..wire.call import Call, Dialect, Reply, json_reply
from ..wire.oauth import OAuth
from ..wire.v1 import V1
from .metadata import authorization_server
from .metrics import Metrics
from .throttle import Throttle, Visit

Endpoint = Callable[[Call], Awaitable[Reply]]

METADATA_MAX_AGE = 300
"""How long a client may keep the metadata document, in seconds."""


def endpoints(sts: Sts, metrics: Metrics) -> Mapping[str, Endpoint]:
    zones = dict(sts.settings.zones)
    oauth, v1 = OAuth(zones), V1(zones)
    throttle = Throttle(sts.settings.service.listen.limits)
    return {
        "/oauth/2/token": exchanging(sts, oauth, throttle),
        "/v1/exchange/token": exchanging(sts, v1, throttle),
        "/.well-known/jwks.json": reading(partial(jwks, sts), oauth),
        "/.well-known/oauth-authorization-server": reading(partial(metadata, sts), oauth),
        "/health": reading(health, oauth),
        "/ready": reading(partial(ready, sts), oauth),
        "/metrics": reading(partial(_metrics_text, metrics), oauth),
        "/metrics.json": reading(partial(_metrics_json, metrics), oauth),
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
    dialect = V1(dict(sts.settings.zones))

    async def endpoint(call: Call) -> Reply:
        return dialect.refuse(kind(), call)

    return endpoint


async def jwks(sts: Sts, call: Call) -> Reply:
    """The public keys of one zone; without `zone_id` those of the default one, never a union (decision 20)."""
    zone_id = _query(call, "zone_id") or "default"
    if zone_id not in sts.settings.zones:
        told = {"error": "not_found", "error_description": ZoneUnknown.meaning(), "reason": ZoneUnknown.reason}
        return json_reply(404, {**told, "request_id": call.request_id})
    reply = json_reply(200, {"keys": list(await sts.zones.keys.published(zone_id))}, ())
    tag = f'"{hashlib.sha256(reply.body).hexdigest()[:32]}"'
    caching = (("cache-control", f"public, max-age={sts.settings.service.jwks_max_age}, must-revalidate"), ("etag", tag))
    if _is_known(call, tag):
        return Reply(status=304, headers=caching)
    return replace(reply, headers=(*reply.headers, *caching))


async def metadata(sts: Sts, call: Call) -> Reply:
    zone = await sts.zones.named("default")
    document = authorization_server(sts.settings.service, zone)
    return json_reply(200, document, (("cache-control", f"public, max-age={METADATA_MAX_AGE}"),))


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


def _is_known(call: Call, tag: str) -> bool:
    """Whether the caller has this very answer (RFC 9110 section 13.1.2: a list, or `*`, compared weakly)."""
    sent = [part.strip() for name, value in call.headers if name.lower() == "if-none-match" for part in value.split(",")]
    return any(part == "*" or part.removeprefix("W/") == tag for part in sent)


def _query(call: Call, name: str) -> str | None:
    try:
        pairs: list[tuple[str, Any]] = parse_qsl(call.query, max_num_fields=20)
    except ValueError as error:
        raise ParameterInvalid("too many parameters", expected=20) from error
    values = [value for key, value in pairs if key == name]
    if len(values) > 1:
        raise ParameterInvalid(f"{name} is repeated", seen=name)
    return values[0] if values else None
