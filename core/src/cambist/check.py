"""Something that was looked at for whoever asks why: what came of it and, where it failed, what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from .credential import Credential
from .errors import Refusal
from .spelling import overlooked


class State(StrEnum):
    """What came of a check."""

    PASSED = "passed"
    FAILED = "failed"
    NOTE = "note"  # nothing that fails, and good to know


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. Nothing in it is secret: of a token it shows claims, never a signature."""

    name: str
    state: State
    said: str
    reason: str | None = None
    expected: object = None
    seen: object = None
    hint: str | None = None

    @classmethod
    def passed(cls, name: str, said: str) -> Self:
        return cls(name=name, state=State.PASSED, said=said)

    @classmethod
    def noted(cls, name: str, said: str, hint: str | None = None) -> Self:
        return cls(name=name, state=State.NOTE, said=said, hint=hint)

    @classmethod
    def refused(cls, name: str, refusal: Refusal, said: str = "", hint: str = "") -> Self:
        """What fails with this refusal; without other words, those that an operator may read."""
        return cls(
            name=name,
            state=State.FAILED,
            said=said or words(refusal),
            reason=refusal.reason,
            expected=refusal.expected,
            seen=refusal.seen,
            hint=hint or refusal.hint or None,
        )


def words(refusal: Refusal) -> str:
    """What an operator is told of a refusal: also its cause, and in what two names differ that look alike."""
    place, cause, detail = (refusal.facts.get(name) for name in ("what", "cause", "detail"))
    said = ": ".join(str(part) for part in (place, detail or cause) if part) or refusal.said
    return f"{said}{differing(refusal.expected, refusal.seen)}"


def differing(expected: object, seen: object) -> str:
    """A remark on two names that look alike; nothing where they are others altogether."""
    found = overlooked(expected, seen)
    return f" (they differ by {' and '.join(found[1])})" if found else ""


def tried(name: str, work: Callable[[], object], said: str) -> Check:
    """What came of some work: these words, or its refusal."""
    try:
        work()
    except Refusal as refusal:
        return Check.refused(name, refusal)
    return Check.passed(name, said)


class Source(Protocol):
    """What tokens are judged by, and can be looked at: keys, or somebody who is asked about each token."""

    async def look(self) -> Sequence[Check]:
        """Looked at now, whatever is remembered. Nothing is spent, and nobody is told of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """An issuer that is trusted, and by what its tokens are judged; `name` where its accounts are called otherwise here."""

    issuer: str
    sources: Sequence[Source] = ()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A token to look into. `audiences` are the zone's own; `issuer` is whose token it is meant to be, None: whom it names."""

    credential: Credential
    audiences: frozenset[str] = frozenset()
    issuer: str | None = None
