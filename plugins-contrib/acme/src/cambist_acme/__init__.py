"""Badges, `acme.<name>.<expiry>.<seal>`: a name and its end in seconds since 1970, sealed with a shared secret."""

import hmac
import re
from collections.abc import Iterator

from cambist import Credential, Field, Identity, Proven, Rejected, Secret, Shape, Unverified, Validator, ZoneHost, hookimpl

BADGE = "urn:acme:token-type:badge"
SHAPE = re.compile(r"(acme\.([a-z0-9-]{1,64})\.([0-9]{10}))\.([0-9a-f]{64})")


class BadgeSettings(Shape):
    """How badges are sealed."""

    secret: Secret = Field(description="The secret that badges are sealed with; at least 32 random characters.")
    issuer: str = Field("https://badges.acme.example", description="Who vouches for the names on badges.")


def seal(secret: Secret, signed: str) -> str:
    """The seal of `acme.<name>.<expiry>`: HMAC-SHA-256 in hexadecimal."""
    return hmac.digest(secret.reveal().encode(), signed.encode(), "sha256").hex()


class BadgeValidator:
    """Judges badges by their seal; that they have not expired is checked for every validator."""

    token_types = frozenset({BADGE})
    issuers = None

    def __init__(self, settings: BadgeSettings) -> None:
        self.settings = settings

    def recognizes(self, unverified: Unverified) -> bool:
        return True  # the type is ours alone

    async def validate(self, credential: Credential) -> Proven:
        if (parts := SHAPE.fullmatch(credential.token)) is None:
            raise Rejected("a badge is acme.<name>.<expiry>.<seal>")
        signed, name, expiry, sealed = parts.groups()
        if not hmac.compare_digest(sealed.encode(), seal(self.settings.secret, signed).encode()):
            raise Rejected("the seal of the badge is broken")
        return Proven(identity=Identity(issuer=self.settings.issuer, subject=name), expires_at=int(expiry))


@hookimpl
def cambist_validators(host: ZoneHost) -> Iterator[Validator]:
    yield BadgeValidator(host.settings(BadgeSettings))
