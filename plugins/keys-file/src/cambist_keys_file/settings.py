"""What the operator says of the keys: where they are, what protects them, and when they are rotated."""

from __future__ import annotations

from pathlib import Path

from cambist import Field
from cambist.kek import UnderKek

from .algorithm import AlgorithmName


class KeysFileSettings(UnderKek):
    """The key files of all zones."""

    directory: Path = Field(description="Where the key files are: a directory of the service's own user, made if it is not there.")
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
