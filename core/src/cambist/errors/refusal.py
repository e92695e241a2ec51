"""The root of the tree: what every refusal says, and to whom."""

from __future__ import annotations

from typing import ClassVar


class Refusal(Exception):
    """The request was refused."""

    reason: ClassVar[str] = "refused"
    likely: ClassVar[str] = "A plugin refuses in a way of its own."
    _meaning: ClassVar[str] = "The request was refused."
    hint: ClassVar[str] = "Give the decision id to the operator: the ledger has the cause."

    def __init_subclass__(cls) -> None:
        # Once, and not for each request; a kind of a plugin's without a sentence means what its parent does.
        cls._meaning = next(iter((cls.__doc__ or "").strip().splitlines()), cls._meaning)

    def __init__(self, said: str = "", *, expected: object = None, seen: object = None, **facts: object) -> None:
        """`said`, `expected` and `seen` go to the caller, and hold nothing but the caller's own; `facts` go to the ledger."""
        self.said = said or self._meaning
        super().__init__(self.said)
        self.expected = expected
        self.seen = seen
        self.facts = facts
        self.role: str | None = None
        self.decision_id: str | None = None

    @classmethod
    def meaning(cls) -> str:
        return cls._meaning
