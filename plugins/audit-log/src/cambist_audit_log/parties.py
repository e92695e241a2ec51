"""Who asked, for whom, and who acts: what was proved of each, and the credential by its hash alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cambist import Credential, Identity, Proven
from cambist.caller import Caller
from cambist.request import ExchangeRequest

from .line import Client, Named, Party
from .withheld import Withheld, legible

Sent = tuple[str | None, str | None, str | None]
NOTHING_SENT: Sent = (None, None, None)


def client(request: ExchangeRequest, caller: Caller | None, withheld: Withheld) -> Client | None:
    """The application that was proved, or the subject that calls for itself, else what the caller says it is."""
    if caller is not None:
        return Client(id=legible(caller.id), method=caller.method, application=caller.application is not None)
    if request.client is None and not request.client_id:
        return None
    claimed = withheld.text(request.client_id) if request.client_id else None
    return Client(claimed=claimed, method=None if request.client is None else request.client.token_type)


def party(credential: Credential | None, proven: Proven | None, allowed: Sequence[str], withheld: Withheld) -> Party | None:
    """Subject or actor: its identity where it was proved, its credential where one was sent."""
    token_type, sent_as, sha256 = NOTHING_SENT if credential is None else _sent(credential, withheld)
    if proven is None:
        return None if credential is None else Party(token_type=token_type, sent_as=sent_as, sha256=sha256)
    who, ends = proven.identity, proven.expires_at
    return Party(
        issuer=legible(who.issuer),
        subject=legible(who.subject),
        token_id=None if proven.token_id is None else legible(proven.token_id),
        expires_at=None if math.isinf(ends) else math.floor(ends),
        attributes=_allowed(who.attributes, allowed, withheld) if allowed else None,
        token_type=token_type,
        sent_as=sent_as,
        sha256=sha256,
    )


def chain(identities: Sequence[Identity]) -> list[Named]:
    """Who acts and who acted before, the latest first."""
    return [Named(legible(who.issuer), legible(who.subject)) for who in identities]


def _allowed(given: Mapping[str, Any], allowed: Sequence[str], withheld: Withheld) -> dict[str, object] | None:
    return {name: withheld.plain(given[name]) for name in allowed if name in given} or None


def _sent(credential: Credential, withheld: Withheld) -> Sent:
    """The type as it is dispatched and as it was sent, and which credential it was without the credential."""
    token_type, sent_as = withheld.text(credential.token_type), withheld.text(credential.wire_type) if credential.wire_type else None
    return token_type, sent_as, hashed(credential.token)


def hashed(secret: str) -> str:
    """Which one it was, for who has it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
