"""`POST /v1/exchange/token`: the same by JSON, as its published page has it."""

from __future__ import annotations

from .. import errors as e
from ..answer import PolicyUnclear
from ..credential import Role
from ..errors import GrantTypeUnsupported, ParameterInvalid, ParameterMissing, Refusal
from ..request import Dialect, ExchangeRequest
from ..settings import REASONS
from ..token import MintedToken
from ..token_type import ALIASES, JWT, PAGE, canonical
from ..zone import TOKEN_EXCHANGE, Zone
from . import codes, reading
from .call import NO_STORE, Call, Reply, json_reply
from .client import client, client_id
from .parameters import JSON, MEDIA_TYPES, Parameters
from .refusing import Table, Told, explained, headers, is_the_clients, row

DENIED = Told(403, "access_denied")
INVALID = Told(400, "invalid_request")
DOWN = Told(503, "server_error")

TABLE: Table = {
    e.Refusal: Told(500, "server_error"),
    e.Malformed: INVALID,
    e.BodyTooLarge: Told(413, "invalid_request"),
    e.HeadTooLarge: Told(431, "invalid_request"),
    e.FramingUnsound: INVALID,
    e.NotArrived: Told(408, "invalid_request"),
    e.MediaTypeUnsupported: INVALID,
    e.MethodNotAllowed: Told(405, "method_not_allowed"),
    e.PathUnknown: Told(404, "not_found"),
    e.ParameterMissing: INVALID,
    e.ParameterRepeated: INVALID,
    e.ParameterInvalid: INVALID,
    e.ParameterUnsupported: INVALID,
    e.ScopeMalformed: INVALID,
    e.GrantTypeUnsupported: Told(400, "unsupported_grant_type"),
    e.ResponseTypeUnsupported: INVALID,
    e.TokenTypeUnknown: INVALID,
    e.TokenTypeNotEnabled: INVALID,
    e.ZoneUnknown: INVALID,
    e.TargetMissing: INVALID,
    e.TargetInvalid: INVALID,
    e.LifetimeAboveCap: INVALID,
    e.CallerRefused: DENIED,
    e.CallerUnproved: DENIED,
    e.CallerMissing: DENIED,
    e.CallerMismatch: DENIED,
    e.GrantNotAllowed: DENIED,
    e.Unclaimed: INVALID,
    e.IssuerNotTrusted: INVALID,
    e.Ambiguous: INVALID,
    e.Rejected: INVALID,
    e.CredentialMalformed: INVALID,
    e.AudienceMissing: INVALID,
    e.CredentialTooLarge: INVALID,
    e.SignatureInvalid: INVALID,
    e.KeyUnknown: INVALID,
    e.AlgorithmRefused: INVALID,
    e.Expired: INVALID,
    e.NotYetValid: INVALID,
    e.AudienceMismatch: INVALID,
    e.KindMismatch: INVALID,
    e.AudienceNotSole: INVALID,
    e.PartyMismatch: INVALID,
    e.NonceMismatch: INVALID,
    e.ClaimMissing: INVALID,
    e.ClaimNotAccepted: INVALID,
    e.ProposedChange: INVALID,
    e.UserToken: INVALID,
    e.PlatformToken: INVALID,
    e.TenantMismatch: INVALID,
    e.LegacyToken: INVALID,
    e.SubjectContradicted: INVALID,
    e.ClusterAmbiguous: INVALID,
    e.Inactive: INVALID,
    e.PossessionMissing: INVALID,
    e.Replayed: INVALID,
    e.Revoked: INVALID,
    e.IdentifierTooLong: INVALID,
    e.Denied: DENIED,
    e.TargetDenied: DENIED,
    e.ScopeDenied: DENIED,
    e.ActorDenied: DENIED,
    e.ChainRefused: DENIED,
    e.TokenTooLarge: DENIED,
    e.Unavailable: DOWN,
    e.DeadlineExceeded: DOWN,
    e.Overloaded: DOWN,
    e.TooManyRequests: Told(429, "access_denied"),
    PolicyUnclear: DOWN,
    e.Fault: Told(500, "server_error"),
    e.PluginFault: Told(500, "server_error"),
}

_ON_THE_PAGE = frozenset({*PAGE, *(ALIASES.get(name, name) for name in PAGE)})


class V1:
    """The JSON dialect."""

    name = Dialect.V1.value

    def __init__(self, zones: dict[str, Zone], home: str = "default", page: str = REASONS) -> None:
        self._home, self._page = home, page
        self._accepts = {name: frozenset(MEDIA_TYPES[kind] for kind in zone.accept) for name, zone in zones.items()}

    def read(self, call: Call) -> ExchangeRequest:
        found = reading.given(call, JSON, self._accepts, self._home)
        grant = found.required("grant_type")
        if grant != TOKEN_EXCHANGE:
            raise GrantTypeUnsupported(f"grant_type must be {TOKEN_EXCHANGE}", expected=TOKEN_EXCHANGE, seen=grant)
        requested = _requested(found)
        subject = reading.credential(found, Role.SUBJECT, None)
        if subject is None:
            raise ParameterMissing("subject_token is required", seen="subject_token")
        return ExchangeRequest(
            dialect=Dialect.V1,
            grant_type=grant,
            zone_id=reading.zone(found, self._home),
            subject=subject,
            actor=reading.credential(found, Role.ACTOR, JWT),
            client=client(call, found),
            client_id=client_id(found),
            targets=reading.targets(found),
            scope=reading.scope(found),
            requested_token_type=requested,
            issued_token_type=JWT,
            ttl=found.whole("ttl_seconds"),
            execution=reading.execution(found),
            presented=reading.presented(call),
        )

    def answer(self, token: MintedToken, call: Call) -> Reply:
        """Exactly the members of the page."""
        members = {
            "access_token": token.token,
            "issued_token_type": JWT,
            "token_type": "Bearer",
            "expires_in": token.expires_in,
        }
        scope = {"scope": " ".join(token.scope)} if token.scope else {}
        return json_reply(200, {**members, **scope}, (*NO_STORE, ("cambist-decision-id", token.decision_id)))

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        """One of the page's seven codes; the precise one of OAuth is in `sts_error`."""
        told = self._told(refusal, call)
        more = (*headers(refusal), ("allow", "POST")) if told.status == 405 else headers(refusal)
        if told.status == 401:
            more = (*more, ("www-authenticate", 'Basic realm="cambist"'))
        precise = codes.CLIENT_FAILED.error if is_the_clients(refusal) else row(codes.TABLE, refusal).error
        body = {"error": told.error, "sts_error": precise, **explained(TABLE, refusal, call, self._page)}
        return json_reply(told.status, body, more)

    def _told(self, refusal: Refusal, call: Call) -> Told:
        if is_the_clients(refusal) or isinstance(refusal, e.CallerUnproved | e.CallerMismatch):
            by_header = any(name.lower() == "authorization" for name, _ in call.headers)
            return Told(401, "access_denied") if by_header else DENIED
        if isinstance(refusal, e.TokenTypeNotEnabled) and refusal.seen in _ON_THE_PAGE:
            # The one 5xx that input can cause: the page promises the type, this installation does not have it.
            return Told(501, "not_implemented")
        return row(TABLE, refusal)


def _requested(found: Parameters) -> str | None:
    requested = found.text("requested_token_type")
    if requested is not None and canonical(requested) != JWT:
        raise ParameterInvalid("this endpoint issues JWTs", expected=JWT, seen=requested)
    return requested
