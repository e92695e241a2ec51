"""How the calling application proves itself: by a secret, or by an assertion that its own key signs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..client_proof import Proof, basic, post, private_key
from ..errors import Unavailable
from ..secret import Secret
from .refused import CredentialUnreadable
from .source import Source, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application: `prove` gives headers and parameters that prove one request, anew each time. Raises CredentialUnreadable."""

    client_id: str
    prove: Callable[[], Proof] = field(repr=False, compare=False)


def by_secret(client_id: str, secret: Source, *, in_body: bool = False) -> Application:
    """`client_secret_basic`, or with `in_body` `client_secret_post`. A file is read again for each request."""
    way = post if in_body else basic

    def prove() -> Proof:
        return way(client_id, Secret(read(secret)))()

    return Application(client_id=client_id, prove=prove)


def by_assertion(client_id: str, key: Path, audience: str, *, clock: Callable[[], float] = time.time) -> Application:
    """`private_key_jwt`: `key` is a file with a private JWK that has alg and kid, `audience` the issuer (RFC 10070)."""

    def prove() -> Proof:
        try:
            return private_key(client_id, Secret(read(key)), audience, clock)()
        except Unavailable as error:
            raise CredentialUnreadable(f"{key}: {error.facts['cause']}") from error

    return Application(client_id=client_id, prove=prove)
