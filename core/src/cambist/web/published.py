"""What anybody may read and keep: the keys of a zone, and its metadata. Who has them already is told so."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qsl

from ..errors import ParameterInvalid, ZoneUnknown
from ..sts import Sts
from ..value import replace
from ..wire.call import Call, Reply, json_reply
from .metadata import authorization_server

METADATA_MAX_AGE = 300
"""How long a client may keep a metadata document, in seconds."""


async def jwks(sts: Sts, home: str, call: Call) -> Reply:
    """The public keys of one zone, never a union (decision 20). At the default zone's endpoint others can be asked for."""
    zone_id = _query(call, "zone_id") or home
    if zone_id not in sts.settings.zones or home not in ("default", zone_id):
        told = {"error": "not_found", "error_description": ZoneUnknown.meaning(), "reason": ZoneUnknown.reason}
        return json_reply(404, {**told, "request_id": call.request_id})
    keys = list(await sts.zones.keys.published(zone_id))
    return kept(call, {"keys": keys}, sts.settings.service.jwks_max_age)


async def metadata(sts: Sts, zone_id: str, call: Call) -> Reply:
    document = authorization_server(sts.settings, await sts.zones.named(zone_id))
    return kept(call, document, METADATA_MAX_AGE)


def kept(call: Call, document: Any, max_age: int) -> Reply:
    """A document that may be kept so many seconds; 304 for who has this very one (RFC 9110 section 15.4.5)."""
    reply = json_reply(200, document, ())
    tag = f'"{hashlib.sha256(reply.body).hexdigest()[:32]}"'
    caching = (("cache-control", f"public, max-age={max_age}, must-revalidate"), ("etag", tag))
    if _is_known(call, tag):
        return Reply(status=304, headers=caching)
    return replace(reply, headers=(*reply.headers, *caching))


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
