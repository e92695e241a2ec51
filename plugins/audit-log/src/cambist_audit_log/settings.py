"""Where the ledger is, what protects it, how soon it is on the disk, how long it is kept, and what is left out of it."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from cambist.kek import UnderKek

Sync = Literal["always", "group", "off"]


class AuditLogSettings(UnderKek):
    """The ledger of decisions."""

    directory: Path = Field(description="Where the ledger is: a directory of the service's own user, made if it is not there.")
    sync: Sync = Field(
        "group",
        description="When a line is on the disk: `always` before the answer, `group` within 100 ms, `off` when the system likes. "
        "In every case it is with the operating system before the answer.",
    )
    seal_interval: float = Field(
        1,
        ge=0.05,
        le=3600,
        description="How often the end of each chain is noted in the store, in seconds: lines older than this cannot be cut off unseen.",
    )
    segment_bytes: int = Field(64 << 20, ge=4096, description="A segment that has so many bytes is followed by the next.")
    segment_age: float = Field(86_400, gt=0, allow_inf_nan=False, description="A segment of this age is followed by the next, in seconds.")
    keep_age: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Segments whose last line is older are deleted, in seconds; absent: none is."
    )
    keep_bytes: int | None = Field(
        None, gt=0, description="When all segments together have more bytes, the oldest are deleted; absent: none is."
    )
    node: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Whose ledger this is, for stores that several machines share; absent: the host's name.",
    )
    sample: int = Field(
        10,
        ge=0,
        description="How many requests that cannot be read, and whose caller is unproved, are written each second; the rest is counted.",
    )
    attributes: tuple[str, ...] = Field((), description="Attributes of subject and actor whose values are written.")

    @property
    def owner(self) -> str:
        """Whose ledger this is."""
        return self.node or node_name(socket.gethostname())

    @model_validator(mode="after")
    def _a_segment_fits(self) -> Self:
        if self.keep_bytes is not None and self.keep_bytes < 2 * self.segment_bytes:
            raise ValueError("keep_bytes must be at least twice segment_bytes: a segment is deleted whole, and never while it is written")
        return self


def node_name(hostname: str) -> str:
    """A host's name as it can be part of a key of the store."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", hostname)[:64] or "localhost"
