"""What the operator says of the keys: where they are, what protects them, and how long verifiers keep them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from cambist import Secret, Shape

from .algorithm import AlgorithmName
from .kek import key_material


class KeysFileSettings(Shape):
    """The key files of all zones."""

    directory: Path = Field(description="Where the key files are: a directory of the service's own user, made if it is not there.")
    kek: Secret = Field(description="The key that encrypts the keys: at least 32 random bytes, as base64url or hexadecimal.")
    algorithm: AlgorithmName = Field("ES256", description="The signature algorithm of keys that are made from now on.")
    max_age: float = Field(
        300,
        ge=300,  # what /.well-known/jwks.json says: a shorter wait would sign with keys that verifiers have not seen
        le=86_400,
        description="How long verifiers, and caches before them, keep the published keys, in seconds; they are served with 300.",
    )
    skew: float = Field(
        60,
        ge=1,  # another process may publish what it read up to a second ago
        le=3600,
        description="How far the clocks of verifiers may differ from ours, in seconds.",
    )
    retain: float = Field(
        3660,
        gt=0,
        allow_inf_nan=False,
        description="How long a retired key stays published, in seconds: the longest lifetime of a token, plus `skew`.",
    )
    rotate_every: float | None = Field(
        None, allow_inf_nan=False, description="Rotate keys of this age, in seconds; absent: only when asked to."
    )

    @field_validator("kek")
    @classmethod
    def _kek_is_strong(cls, kek: Secret) -> Secret:
        key_material(kek)
        return kek

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.retain <= self.skew:
            raise ValueError("retain is the longest lifetime of a token plus skew, so it must be above skew")
        if self.rotate_every is not None and self.rotate_every < 2 * self.lead:
            raise ValueError(f"rotate_every must be at least {2 * self.lead:g}: a new key waits {self.lead:g} seconds before it signs")
        return self

    @property
    def lead(self) -> float:
        """How long a new key is published before it signs, in seconds."""
        return self.max_age + self.skew
