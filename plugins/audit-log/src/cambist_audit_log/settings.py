"""Where the log is, how soon it is on the disk, and what is left out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cambist import Shape

Sync = Literal["always", "group", "off"]


class AuditLogSettings(Shape):
    """The log of decisions."""

    path: Path = Field(description="The file; made when it is not there, its folder is not.")
    sync: Sync = Field(
        "group",
        description="When a line is on the disk: `always` before the answer, `group` within 100 ms, `off` when the system likes. "
        "In every case it is with the operating system before the answer.",
    )
    sample: int = Field(
        10,
        ge=0,
        description="How many requests that cannot be read, and whose caller is unproved, are written each second; the rest is counted.",
    )
    attributes: tuple[str, ...] = Field((), description="Attributes of subject and actor whose values are written.")
