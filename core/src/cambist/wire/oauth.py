"""`POST /oauth/2/token`: RFC 8693 token exchange, and client credentials, by form."""

from __future__ import annotations

from ..credential import Role
from ..errors import GrantTypeUnsupported, ParameterInvalid, ParameterUnsupported, Refusal
from ..request import Dialect, ExchangeRequest
from ..settings import REASONS
from ..token import MintedToken
from ..token_type import ACCESS_TOKEN, JWT, canonical
from ..zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, Zone
from . import reading
from .call import NO_STORE, Call, Reply, json_reply
from .client import client, client_id
from .codes import CLIENT_FAILED, TABLE
from .parameters import FORM, MEDIA_TYPES, Parameters
from .refusing import explained, headers, is_the_clients, reference, row


class OAuth:
    """The form dialect."""

    name = Dialect.OAUTH.value

    def __init__(self, zones: dict[str, Zone], home: str = "default", page: str = REASONS) -> None:
        self._zones, self._home, self._page = zones, home, page
        self._accepts = {name: frozenset(MEDIA_TYPES[kind] for kind in zone.accept) for name, zone in zones.items()}

    def read(self, call: Call) -> ExchangeRequest:
        found = reading.given(call, FORM, self._accepts, self._home)
        grant = found.required("grant_type")
        if grant not in (TOKEN_EXCHANGE, CLIENT_CREDENTIALS):
            raise GrantTypeUnsupported(expected=[TOKEN_EXCHANGE, CLIENT_CREDENTIALS], seen=grant)
        if found.values.get("execution_scope") not in (None, ""):
            raise ParameterUnsupported("execution_scope belongs to the JSON endpoint", seen="execution_scope")
        zone_id = reading.zone(found, self._home)
        exchanging = grant == TOKEN_EXCHANGE
        if not exchanging:
            _alone(found)
        requested = _requested(found)
        return ExchangeRequest(
            dialect=Dialect.OAUTH,
            grant_type=grant,
            zone_id=zone_id,
            subject=reading.credential(found, Role.SUBJECT, None),
            actor=reading.credential(found, Role.ACTOR, self._actor_type(zone_id)),
            client=client(call, found),
            client_id=client_id(found),
            targets=reading.targets(found),
            scope=reading.scope(found),
            requested_token_type=requested,
            issued_token_type=(requested or ACCESS_TOKEN) if exchanging else None,
            ttl=found.whole("ttl_seconds"),
            presented=reading.presented(call),
        )

    def _actor_type(self, zone_id: str) -> str | None:
        """What an actor token is when its type is not said (decision 3)."""
        zone = self._zones.get(zone_id)
        return ACCESS_TOKEN if zone is not None and zone.compat == "caracal" else None

    def answer(self, token: MintedToken, call: Call) -> Reply:
        members = {
            "access_token": token.token,
            "issued_token_type": token.issued_token_type,
            "token_type": "Bearer",
            "expires_in": token.expires_in,
            "scope": " ".join(token.scope) or None,
        }
        told = {name: value for name, value in members.items() if value is not None}
        return json_reply(200, told, (*NO_STORE, ("cambist-decision-id", token.decision_id)))

    def refuse(self, refusal: Refusal, call: Call) -> Reply:
        told = CLIENT_FAILED if is_the_clients(refusal) else row(TABLE, refusal)
        more = headers(refusal)
        if told.status == 401:
            # RFC 6749 section 5.2, also where no authentication was tried.
            more = (*more, ("www-authenticate", 'Basic realm="cambist"'))
        if told.status == 405:
            more = (*more, ("allow", "POST"))
        body = explained(TABLE, refusal, call, self._page)
        said = f"{body['error_description']} {reference(refusal)}"
        return json_reply(told.status, {"error": told.error, **body, "error_description": said}, more)


def _requested(found: Parameters) -> str | None:
    """`requested_token_type` is honoured or refused, never replaced (RFC 8693 section 2.1)."""
    requested = found.text("requested_token_type")
    if requested is None:
        return None
    if (name := canonical(requested)) not in (ACCESS_TOKEN, JWT):
        raise ParameterInvalid("this requested_token_type cannot be issued", expected=[ACCESS_TOKEN, JWT], seen=requested)
    return name


def _alone(found: Parameters) -> None:
    """Client credentials come without anybody else's (RFC 6749 section 4.4)."""
    for name in ("subject_token", "actor_token"):
        if found.values.get(name) not in (None, ""):
            raise ParameterInvalid(f"{name} does not belong to this grant", seen=name)
