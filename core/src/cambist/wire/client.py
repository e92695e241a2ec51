"""How the calling application proves itself, out of header and parameters: by exactly one method."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus

from ..client_assertion import JWT_BEARER
from ..client_secret import CLIENT_SECRET, credential_text
from ..credential import Credential, Role
from ..errors import CallerUnproved, ParameterInvalid, ParameterMissing
from .call import Call
from .parameters import Parameters


def client_id(given: Parameters) -> str | None:
    """`client_id`, or `application_id`, which is the same."""
    one, other = given.text("client_id"), given.text("application_id")
    if one and other and one != other:
        raise ParameterInvalid("client_id and application_id differ", seen="application_id")
    return one or other


def client(call: Call, given: Parameters) -> Credential | None:
    """The application's credential, if it sent one. Raises ParameterInvalid for two methods at once (RFC 6749 section 2.3)."""
    header, secret, assertion = call.header("authorization"), given.text("client_secret"), given.text("client_assertion")
    if [header, secret, assertion].count(None) < 2:
        raise ParameterInvalid("more than one way of client authentication", seen="client authentication")
    if header is not None:
        return _basic(header)
    if secret is not None:
        if (name := client_id(given)) is None:
            raise ParameterMissing("client_id is required with client_secret", seen="client_id")
        return Credential(token=credential_text(name, secret), token_type=CLIENT_SECRET, role=Role.CLIENT)
    return _assertion(assertion, given)


def _assertion(assertion: str | None, given: Parameters) -> Credential | None:
    kind = given.text("client_assertion_type")
    if assertion is None:
        if kind is not None:
            raise CallerUnproved("client_assertion is required with its type", seen="client_assertion")
        return None
    if kind is None:
        # Half an authentication is one that failed (CA-01), not a request that cannot be read.
        raise CallerUnproved("client_assertion_type is required", seen="client_assertion_type")
    if kind != JWT_BEARER:
        raise CallerUnproved("this client_assertion_type is not served", expected=JWT_BEARER, seen=kind)
    return Credential(token=assertion, token_type=JWT_BEARER, role=Role.CLIENT)


def _basic(header: str) -> Credential:
    """RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise CallerUnproved("only Basic is served in Authorization", expected="Basic", seen=scheme[:20])
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        name, colon, secret = text.partition(":")
        pair = unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise CallerUnproved("the Basic credentials cannot be read") from error
    if not colon or not all(pair):
        raise CallerUnproved("the Basic credentials are incomplete")
    return Credential(token=credential_text(*pair), token_type=CLIENT_SECRET, role=Role.CLIENT)
