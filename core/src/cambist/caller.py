"""A credential becomes the calling application."""

from __future__ import annotations

from .credential import Possession, Role
from .errors import CallerMismatch, CallerMissing, CallerUnproved, GrantNotAllowed, ParameterMissing
from .guard import Guard
from .identifier import identifier
from .identity import Identity, Proven
from .request import ExchangeRequest
from .value import Value
from .zone import TOKEN_EXCHANGE, Application, Zone


class Caller(Value, frozen=True, kw_only=True):
    """Who calls. `application` is None where the subject's own credential authenticated the call; `method` says how it was proved."""

    id: str
    proven: Proven
    method: str
    application: Application | None = None

    def is_also(self, zone: Zone, identity: Identity) -> bool:
        """Whether an identity proved by another token is this very application; by its name, which a token of the zone has for it too."""
        known = self.application.identities if self.application else ()
        parties = (self.proven.identity, *(Identity(issuer=k.issuer, subject=k.subject) for k in known))
        return identifier(zone, identity) in {identifier(zone, party) for party in parties}


async def authenticate(zone: Zone, guard: Guard, request: ExchangeRequest, held: Possession) -> Caller | None:
    """The application that proved itself, None where the subject's credential may do it. Raises CallerRefused or what the guard raises."""
    if request.subject is None and request.grant_type == TOKEN_EXCHANGE and not zone.bootstrap:
        raise ParameterMissing("subject_token is required", seen="subject_token")
    if request.client is None:
        if request.subject is not None:
            guard.takers[Role.SUBJECT].taking(request.subject.token_type)  # a type that nobody takes is told as that
        # TX-34: a service that exchanges for anybody turns one stolen token into many.
        if request.subject is None or request.subject.token_type not in zone.authenticates:
            raise CallerMissing(expected=["client_secret_basic", "client_secret_post", "private_key_jwt"])
        return None
    proven = await guard.prove(request.client, held)
    name = proven.identity.subject
    application = zone.applications.get(name)
    if application is None:
        raise CallerUnproved(client_id=name)
    if request.client_id not in (None, name):
        raise CallerMismatch(seen=request.client_id)
    if request.grant_type not in application.grants:
        raise GrantNotAllowed(expected=list(application.grants), seen=request.grant_type)
    return Caller(id=name, proven=proven, method=request.client.token_type, application=application)


async def subject_of(guard: Guard, request: ExchangeRequest, caller: Caller | None, held: Possession, owned: frozenset[str]) -> Proven:
    """The subject is what was proved, else the application itself."""
    if request.subject is not None:
        return await guard.prove(request.subject, held, owned)
    if caller is None:
        raise CallerMissing()
    return caller.proven


def calling(caller: Caller | None, subject: Proven, name: str, request: ExchangeRequest) -> Caller:
    """Who calls, now that the subject is proved: without an application it is the subject, by the name it has here."""
    if caller is not None:
        return caller
    if request.client_id not in (None, name):
        # RFC 6749 section 3.2.1: a client_id is no secret, so by itself it proves nothing.
        raise CallerMismatch(seen=request.client_id)
    return Caller(id=name, proven=subject, method=Role.SUBJECT)
