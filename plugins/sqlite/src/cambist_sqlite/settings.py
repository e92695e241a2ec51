"""Where the file is, and how long to wait for it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from cambist import Shape


class SqliteSettings(Shape):
    """The store's file."""

    path: Path = Field(description="The file, on a disk of this machine; made when it is not there, its folder is not.")
    busy_timeout: int = Field(
        250, gt=0, le=250, description="How long one call may wait for other writers, in milliseconds; then it is refused."
    )
    sweep: float = Field(60.0, gt=0, description="How often what has expired is removed from the file, in seconds.")
