"""An issuer that the operator trusts, as a table of settings: whence its keys, which algorithms, how long its tokens may live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from .egress import allowed
from .errors import Unavailable
from .jwks import InlineKeys, Keys
from .jwts import Expected, Jwts, media_type
from .shape import Shape

Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519"]


class TrustedIssuer(Shape):
    """One trusted issuer. Its keys come from exactly one place; without any, from its discovery document."""

    issuer: str = Field(min_length=1, description="The issuer, letter by letter as in `iss`.")
    jwks_url: str | None = Field(None, description="Where its keys are published.")
    jwks_file: Path | None = Field(None, description="A file with its keys, read again when it changes.")
    jwks: dict[str, Any] | None = Field(None, description="Its keys, as a JWK set.")
    algorithms: tuple[Algorithm, ...] = Field(
        ("ES256", "RS256", "PS256", "EdDSA", "Ed25519"), min_length=1, description="Signature algorithms it may use."
    )
    audience: tuple[str, ...] = Field((), description="Audiences its tokens must have one of, in place of the zone's issuer.")
    leeway: float = Field(60, ge=0, le=300, description="How far its clock may be ahead of ours, in seconds.")
    max_lifetime: float = Field(86_400, gt=0, description="The longest lifetime that its tokens may have, in seconds.")
    default_target: str | None = Field(
        None, description="The target when a request names none, and its application has none: for clients that cannot name one."
    )
    delegation: bool = Field(False, description="Believe the chains of actors (`act`) that it asserts.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.jwks_url, self.jwks_file, self.jwks)) > 1:
            raise ValueError("give one of jwks_url, jwks_file and jwks")
        return self

    @model_validator(mode="after")
    def _source_can_be_asked(self) -> Self:
        if self.has_keys and self.jwks_file is None and self.jwks is None:
            check_url(self.jwks_url or self.issuer, "jwks_url" if self.jwks_url else "issuer, whose discovery document is asked for keys")
        return self

    @property
    def has_keys(self) -> bool:
        """Whether its tokens are verified with its keys; a plugin may know issuers that are asked about each token instead."""
        return True

    @cached_property
    def _stated(self) -> InlineKeys | None:
        """The keys that stand in the settings, one object for all who ask, so that they are read once."""
        return None if self.jwks is None else InlineKeys(self.jwks, self.algorithms)

    def _keys(self, jwts: Jwts) -> Keys:
        if self._stated is not None:
            return jwts.stated(self.issuer, self._stated)
        return jwts.keys(self.issuer, file=self.jwks_file, jwks_url=self.jwks_url, algorithms=self.algorithms)

    def expected(self, jwts: Jwts, *types: str, subject: str = "sub") -> Expected:
        """What its tokens must be, of these values of `typ`. Raises Unavailable when its keys cannot be used."""
        return Expected(
            issuer=self.issuer,
            keys=self._keys(jwts),
            algorithms=_set(self.algorithms),
            types=_media_types(types),
            audiences=frozenset(self.audience),
            leeway=self.leeway,
            max_lifetime=self.max_lifetime,
            may_delegate=self.delegation,
            subject=subject,
            default_target=self.default_target,
        )


@lru_cache(256)
def _set(names: tuple[str, ...]) -> frozenset[str]:
    """One for all issuers that are alike in this: there may be thousands, and nearly all are."""
    return frozenset(names)


@lru_cache(256)
def _media_types(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(media_type(name) for name in names)


def check_url(url: str, what: str) -> None:
    """Raises ValueError, as validators of settings do, for a URL that may not be called."""
    try:
        allowed(url)
    except Unavailable as error:
        raise ValueError(f"{what}: {error.facts['cause']}") from error


def check_no_issuer_twice(entries: Iterable[TrustedIssuer]) -> None:
    """Raises ValueError, as validators of settings do."""
    counted = Counter(entry.issuer for entry in entries)
    if repeated := [name for name, count in counted.items() if count > 1]:
        raise ValueError(f"an issuer is listed twice: {', '.join(sorted(repeated))}")
