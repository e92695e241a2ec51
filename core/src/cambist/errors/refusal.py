"""The root of the tree: what every refusal says, and to whom."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """The request was refused."""

    reason: ClassVar[str] = "refused"
    likely: ClassVar[str] = ""
    hint: ClassVar[str] = ""

    def __init__(self, said: str = "", *, expected: object = None, seen: object = None, **facts: object) -> None:
        """`said`, `expected` and `seen` go to the caller, and hold nothing but the caller's own; `facts` go to the ledger."""
        super().__init__(said or self.meaning())
        self.said = said or self.meaning()
        self.expected = expected
        self.seen = seen
        self.facts = facts
        self.role: str | None = None
        self.decision_id: str | None = None

    @classmethod
    def meaning(cls) -> str:
        return (cls.__doc__ or "").strip().splitlines()[0]
