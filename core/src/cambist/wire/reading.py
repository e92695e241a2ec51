"""What both dialects read alike: every parameter of both pages, once, into one ExchangeRequest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..compact import base64url
from ..credential import Credential, Role
from ..errors import (
    CredentialMalformed,
    MediaTypeUnsupported,
    MethodNotAllowed,
    ParameterInvalid,
    ParameterMissing,
    ParameterUnsupported,
    ScopeMalformed,
)
from ..request import ExecutionScope, Presented
from ..target import absolute_uri
from ..token_type import canonical
from .call import Accepts, Call
from .parameters import Parameters, media_type, parameters

ABSENT_FEATURES = (
    "session_id",
    "agent_session_id",
    "delegation_edge_id",
    "challenge_id",
    "challenge_response",
    "approval_id",
    "authorization_details",
    "gateway_request_id",
    "request_method",
    "request_path",
)
"""Parameters of features that are not here yet. To ignore one would be to grant more than was asked for."""

_ABSENT = frozenset(ABSENT_FEATURES)

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]++(?: [\x21\x23-\x5b\x5d-\x7e]++)*+")
MAX_SCOPE = 4096
"""Characters: more than fits into any token."""
_NAMES = {role: (f"{role}_token", f"{role}_token_type") for role in (Role.SUBJECT, Role.ACTOR)}
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


def given(call: Call, own: str, accepts: Accepts, home: str = "default") -> Parameters:
    """The parameters of a POST. `own` is the media type of the endpoint; a zone may take the other one too. `home` as in `zone`."""
    if call.method != "POST":
        raise MethodNotAllowed(expected="POST", seen=call.method[:20])
    if call.trouble is not None:
        raise call.trouble
    if call.query:
        # RFC 6749 section 3.2: credentials in a URL end up in logs.
        raise ParameterInvalid("parameters belong into the body, not into the URL", seen="query")
    kind = own if call.header("content-type") == own else media_type(call, frozenset({own}).union(*accepts.values()))
    found = parameters(kind, call.body)
    if kind != own and kind not in accepts.get(zone(found, home), frozenset()):
        raise MediaTypeUnsupported(expected=[own], seen=kind)
    for name in _ABSENT.intersection(found.values):
        if found.values[name] not in (None, ""):
            raise ParameterUnsupported(f"{name} is not supported", seen=name)
    return found


def zone(found: Parameters, home: str) -> str:
    """The zone that is asked: `home` is whose endpoint it is. At the default zone's others can be named, at those of others none."""
    named = found.text("zone_id") or home
    if home not in (named, "default"):
        raise ParameterInvalid("zone_id names another zone than this endpoint's", expected=home, seen="zone_id")
    return named


def credential(found: Parameters, role: Role, default_type: str | None) -> Credential | None:
    """A token with its type. A blank subject takes its type with it (decision 1); a type without a token otherwise is a mistake.

    A blank actor token is such a mistake: to pass over it would turn delegation into impersonation.
    """
    name, type_name = _NAMES[role]
    token, wire_type = found.text(name), found.text(type_name)
    if token is None:
        if wire_type is not None and (role is Role.ACTOR or name not in found.values):
            raise ParameterMissing(f"{name} is required with {type_name}", seen=name)
        return None
    wire_type = wire_type or default_type
    if wire_type is None:
        raise ParameterMissing(f"{type_name} is required", seen=type_name)
    return Credential(token=token, token_type=canonical(wire_type), role=role, wire_type=wire_type)


def scope(found: Parameters) -> tuple[str, ...]:
    """RFC 6749 section 3.3; each once, in the order they were sent."""
    value = found.values.get("scope")
    if value in (None, ""):
        return ()
    if not isinstance(value, str) or not _SCOPE.fullmatch(value):
        raise ScopeMalformed(seen="scope")
    if len(value) > MAX_SCOPE:
        raise ScopeMalformed(f"scope is longer than {MAX_SCOPE} characters", expected=MAX_SCOPE, seen=len(value))
    return tuple(dict.fromkeys(value.split(" ")))


def targets(found: Parameters) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*found.texts("audience"), *found.texts("resource"))))


def presented(call: Call) -> Presented:
    return Presented(dpop=call.header("dpop"))


def execution(found: Parameters) -> ExecutionScope | None:
    """`execution_scope`, all or nothing. Raises ParameterMissing, ParameterInvalid, ParameterUnsupported."""
    members = found.members("execution_scope")
    if members is None:
        return None
    if unknown := members.keys() - {"htm", "htu", "nonce", "payload_hash"}:
        raise ParameterUnsupported("execution_scope has members that are not supported", seen=sorted(unknown)[0][:64])
    read = Parameters(members)
    return ExecutionScope(htm=_htm(read), htu=_htu(read), nonce=_nonce(read), payload_hash=_payload_hash(read, members))


def _needed(read: Parameters, name: str) -> str:
    if (value := read.text(name)) is None:
        raise ParameterMissing(f"execution_scope.{name} is required", seen=f"execution_scope.{name}")
    return value


def _bad(name: str, rule: str) -> ParameterInvalid:
    return ParameterInvalid(f"execution_scope.{name} {rule}", seen=f"execution_scope.{name}")


def _htm(read: Parameters) -> str:
    if not re.fullmatch(r"[A-Z]{1,20}", value := _needed(read, "htm")):
        raise _bad("htm", "must be an HTTP method in capitals")
    return value


def _htu(read: Parameters) -> str:
    value = _needed(read, "htu")
    if not absolute_uri(value) or not value.startswith(("https://", "http://")):
        raise _bad("htu", "must be an absolute http URL without a fragment")
    return value


def _nonce(read: Parameters) -> str:
    if len(value := _needed(read, "nonce")) > 256:
        raise _bad("nonce", "is longer than 256 characters")
    return value


def _payload_hash(read: Parameters, members: Mapping[str, Any]) -> str | None:
    value = read.text("payload_hash")
    if value is None:
        if members.get("htm") not in _BODILESS:
            raise ParameterMissing("execution_scope.payload_hash is required", seen="execution_scope.payload_hash")
        return None
    try:
        size = len(base64url(value))
    except CredentialMalformed as error:
        raise _bad("payload_hash", "must be base64url without padding") from error
    if size != 32:
        raise _bad("payload_hash", "must be a SHA-256 hash")
    return value
