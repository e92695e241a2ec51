"""What a segment is called: its chain, which says when it began, and its number in it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

CHAIN = r"\d{8}T\d{6}-[0-9a-f]{16}"
_SEGMENT = re.compile(rf"({CHAIN})-(\d{{6,12}})\.jsonl", re.ASCII)
_TOMBSTONE = re.compile(rf"({CHAIN})\.retired", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class SegmentName:
    """One segment; they sort as they were written within a chain."""

    chain: str
    number: int

    def __str__(self) -> str:
        return f"{self.chain}-{self.number:06d}.jsonl"

    @classmethod
    def parse(cls, text: str) -> SegmentName | None:
        """Of all file names only those that we would write."""
        if found := _SEGMENT.fullmatch(text):
            name = cls(found[1], int(found[2]))
            return name if name.number > 0 and str(name) == text else None
        return None


def new_chain(now: float) -> str:
    """A name that no other chain has; keys are derived with it, so it is never used twice."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(8)}"


def tombstone(chain: str) -> str:
    """The file that says which segments of a chain were retired."""
    return f"{chain}.retired"


def chain_of_tombstone(text: str) -> str | None:
    found = _TOMBSTONE.fullmatch(text)
    return found and found[1]
