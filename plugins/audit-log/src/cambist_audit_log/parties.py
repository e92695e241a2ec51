"""Who asked, for whom, and who acts: what was proved of each, and the credential by its hash alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cambist import Credential, Identity, Proven
from cambist.caller import Caller
from cambist.request import ExchangeRequest

from .withheld import Withheld, legible

Told = Mapping[str, Any]


def client(request: ExchangeRequest, caller: Caller | None, withheld: Withheld) -> Told:
    """The application that was proved, or the subject that calls for itself, else what the caller says it is."""
    if caller is not None:
        return {"id": legible(caller.id), "method": caller.method, "application": caller.application is not None}
    named = {"claimed": withheld.text(request.client_id)} if request.client_id else {}
    return named if request.client is None else {**named, "method": request.client.token_type}


def party(credential: Credential | None, proven: Proven | None, allowed: Sequence[str], withheld: Withheld) -> Told:
    """Subject or actor: its identity where it was proved, its credential where one was sent."""
    return {
        **({} if proven is None else _proved(proven, allowed, withheld)),
        **({} if credential is None else _sent(credential, withheld)),
    }


def chain(identities: Sequence[Identity]) -> list[Told]:
    """Who acts and who acted before, the latest first."""
    return [named(identity) for identity in identities]


def named(identity: Identity) -> Told:
    return {"issuer": legible(identity.issuer), "subject": legible(identity.subject)}


def _proved(proven: Proven, allowed: Sequence[str], withheld: Withheld) -> Told:
    ends = {} if math.isinf(proven.expires_at) else {"expires_at": math.floor(proven.expires_at)}
    token_id = {} if proven.token_id is None else {"token_id": legible(proven.token_id)}
    given = proven.identity.attributes
    attributes = {name: withheld.plain(given[name]) for name in allowed if name in given}
    return {**named(proven.identity), **token_id, **ends, **({"attributes": attributes} if attributes else {})}


def _sent(credential: Credential, withheld: Withheld) -> Told:
    """The type as it is dispatched and as it was sent, and which credential it was without the credential."""
    token = credential.token.encode(errors="surrogatepass")
    sent_as = {"sent_as": withheld.text(credential.wire_type)} if credential.wire_type else {}
    return {"token_type": withheld.text(credential.token_type), **sent_as, "sha256": hashlib.sha256(token).hexdigest()}
