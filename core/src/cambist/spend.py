"""Everything single-use in one request, marked in one claim: the last thing before minting."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import Replayed
from .store import Mark, Store


async def spend(store: Store, marks: Sequence[Mark]) -> None:
    """All or none: a replayed nonce leaves the assertion beside it unburnt. Raises Replayed, Unavailable."""
    if not marks:
        return
    if (taken := await store.claim(marks)) is not None:
        refusal = Replayed("the nonce was used before" if taken.kind == "nonce" else "the credential was used before", kind=taken.kind)
        refusal.role = taken.role
        raise refusal
