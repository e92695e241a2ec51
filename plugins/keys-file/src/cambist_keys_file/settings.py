"""What the operator says of the keys: where they are, what protects them, and when they are rotated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from cambist import Secret, Shape
from cambist.kek import key_material, supplied

from .algorithm import AlgorithmName


class KeysFileSettings(Shape):
    """The key files of all zones."""

    directory: Path = Field(description="Where the key files are: a directory of the service's own user, made if it is not there.")
    kek: Secret = Field(
        description="The key that encrypts the keys: at least 32 random bytes, as base64url or hexadecimal; "
        "absent: the environment variable CAMBIST_KEK."
    )
    former_keks: tuple[Secret, ...] = Field(
        (), description="What `kek` was before: files under these are read until `cambist keys rewrap`."
    )
    algorithm: AlgorithmName = Field("ES256", description="The signature algorithm of keys that are made from now on.")
    skew: float = Field(
        60,
        ge=2,  # another process may publish what it read up to a second ago, and a key is dated before it is on the disk
        le=3600,
        description="How far the clocks of verifiers may differ from ours, in seconds: a new key waits `jwks_max_age` and this.",
    )
    retain: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="How long a retired key stays published at least, in seconds; never shorter than the longest `max_ttl` plus `skew`.",
    )
    rotate_every: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Rotate keys of this age, in seconds; absent: only when asked to."
    )

    @model_validator(mode="before")
    @classmethod
    def _kek_of_the_environment(cls, table: Any) -> Any:
        return supplied(table)

    @field_validator("kek")
    @classmethod
    def _kek_is_strong(cls, kek: Secret) -> Secret:
        key_material(kek)
        return kek

    @field_validator("former_keks")
    @classmethod
    def _former_keks_can_be_read(cls, keks: tuple[Secret, ...]) -> tuple[Secret, ...]:
        for kek in keks:
            key_material(kek)
        return keks

    @property
    def keks(self) -> tuple[bytes, ...]:
        """The KEK, and what it was before."""
        return tuple(map(key_material, (self.kek, *self.former_keks)))
