"""The keys of one zone in the order of their making, and what each of them does at a given time.

Nothing is written when one key takes over from another: every process reads the same times and a clock, and so all of them
change at the same moment. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

REMEMBERED = 2 * 86_400.0
"""Seconds for which a key stays in the file after its end: the clock that says it has ended may have leapt, and come back."""
MAX_REMEMBERED = 50
"""How many keys stay so at most, the latest: a file is not to grow without end, however often keys are rotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """One key. `wrapped` is its private half, encrypted; it is erased when the key will not sign any more."""

    kid: str
    alg: str
    public: Mapping[str, str]
    made_at: float
    signs_from: float
    wrapped: bytes | None = field(repr=False)

    def jwk(self) -> Mapping[str, Any]:
        return {**self.public, "kid": self.kid, "use": "sig", "alg": self.alg}

    def retired(self) -> KeptKey:
        return replace(self, wrapped=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """All keys of a zone, oldest first. `generation` grows with every change; `salt` is what their encryption starts from."""

    zone: str
    generation: int
    salt: bytes = field(repr=False)
    keys: tuple[KeptKey, ...]

    def signing(self, now: float) -> KeptKey:
        """The newest key whose time has come. When a clock steps back before all of them, the oldest that still can sign does."""
        able = [key for key in self.keys if key.wrapped is not None]
        for key in reversed(able):
            if key.signs_from <= now:
                return key
        return able[0]

    def pending(self, now: float) -> KeptKey | None:
        """The key that is published and does not sign yet."""
        last = self.keys[-1]
        return None if last is self.signing(now) else last

    def published(self, now: float, retain: float) -> tuple[KeptKey, ...]:
        """Whatever a verifier may need: no key leaves before its last token has died."""
        return tuple(key for key in self.keys if now < self.published_until(key, retain))

    def published_until(self, key: KeptKey, retain: float) -> float:
        """A key is retired when the next one begins to sign."""
        after = self.keys.index(key) + 1
        return self.keys[after].signs_from + retain if after < len(self.keys) else float("inf")

    def with_next(self, key: KeptKey, now: float, retain: float) -> Ring:
        """Add a key that signs later; forget keys that ended long ago, and the private halves of those that are retired."""
        current = self.keys.index(self.signing(now))
        kept = {old.kid for old in (*self.published(now, retain), *self._ended(now, retain)[-MAX_REMEMBERED:])}
        known = [old if at >= current else old.retired() for at, old in enumerate(self.keys) if old.kid in kept]
        return self._changed((*known, key))

    def _ended(self, now: float, retain: float) -> tuple[KeptKey, ...]:
        """Keys that are published no more, and not yet forgotten."""
        return tuple(key for key in self.keys if 0 <= now - self.published_until(key, retain) < REMEMBERED)

    def with_pending_anew(self, now: float, signs_from: float) -> Ring:
        """The last key counts as made now, and signs later."""
        return self._changed((*self.keys[:-1], replace(self.keys[-1], made_at=now, signs_from=signs_from)))

    def with_only(self, key: KeptKey) -> Ring:
        """Withdraw everything else: who read one key of a file may have read them all."""
        return self._changed((key,))

    def without(self, kid: str, now: float, successor: Callable[[], KeptKey]) -> Ring:
        """Withdraw one key. If it was the one that signs, the next signs at once: verifiers may have it already; else a successor does."""
        signing, pending = self.signing(now), self.pending(now)
        kept = tuple(key for key in self.keys if key.kid != kid)
        if signing.kid == kid and pending is not None:
            kept = (*kept[:-1], replace(pending, made_at=min(pending.made_at, now), signs_from=now))
        elif signing.kid == kid:
            kept = (*kept, successor())
        return self if len(kept) == len(self.keys) and kept[-1] is self.keys[-1] else self._changed(kept)

    def rewrapped(self, salt: bytes, again: Callable[[KeptKey, bytes], bytes]) -> Ring:
        """The same keys, encrypted anew from another salt."""
        keys = tuple(key if key.wrapped is None else replace(key, wrapped=again(key, key.wrapped)) for key in self.keys)
        return replace(self._changed(keys), salt=salt)

    def _changed(self, keys: tuple[KeptKey, ...]) -> Ring:
        return replace(self, generation=self.generation + 1, keys=keys)
