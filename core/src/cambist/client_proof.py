"""How this service, as a client, proves itself to the endpoint of another authorization server."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from .clock import Clock
from .errors import Unavailable
from .jwk import ASYMMETRIC
from .random_id import random_id
from .secret import Secret

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 60

Proof = tuple[Mapping[str, str], Mapping[str, str]]
"""Headers and form parameters that prove one request."""


def basic(client_id: str, secret: Secret) -> Callable[[], Proof]:
    """RFC 6749 section 2.3.1: both are form-encoded first, so that a URL may be a client's id."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret.reveal())}"
    header = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return lambda: (header, {})


def post(client_id: str, secret: Secret) -> Callable[[], Proof]:
    return lambda: ({}, {"client_id": client_id, "client_secret": secret.reveal()})


def private_key(client_id: str, key: Secret, audience: str, clock: Clock) -> Callable[[], Proof]:
    """`private_key_jwt` (RFC 7523 as updated by RFC 10070: the audience is the issuer). Raises Unavailable for what is no such key."""
    try:
        document: dict[str, Any] = json.loads(key.reveal())
        header = {"alg": document["alg"], "kid": document["kid"], "typ": "JWT"}
        if header["alg"] not in ASYMMETRIC or not JWKRegistry.import_key(document).is_private:
            raise ValueError("not a private key")
        signer = JWKRegistry.import_key(document)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(what="client_key", cause="it is not a private JWK with alg and kid") from error

    def proof() -> Proof:
        now = int(clock())
        claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + LIFETIME, "jti": random_id()}
        assertion = jwt.encode(header, claims, signer, algorithms=[header["alg"]])
        return {}, {"client_id": client_id, "client_assertion_type": JWT_BEARER, "client_assertion": assertion}

    return proof
