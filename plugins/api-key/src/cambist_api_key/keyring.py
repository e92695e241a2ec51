"""The keys of one zone, in its own corner of the store. Nothing is remembered here: what is revoked is revoked at once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hmac import compare_digest

from msgspec.structs import replace

from cambist import Rejected, Secret, Store, Unavailable

from .key import ApiKey
from .record import VERSION, Record, decoded, digest

MAX_NAME = 256
KEPT_AFTER = 30 * 86_400
"""For how many seconds a key that ended is still listed, and its holder still told why it is refused."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new key: the only moment at which its text is known."""

    record: Record
    text: Secret


class Keyring:
    """Creates, lists, revokes and proves keys. Every method raises Unavailable when the store does."""

    def __init__(self, *, zone: str, store: Store, clock: Callable[[], float], pepper: Secret, max_lifetime: int) -> None:
        self._zone, self._store, self._pepper = zone, store, pepper
        self.clock, self.max_lifetime = clock, max_lifetime
        nobody = Record(version=VERSION, id="", owner="nobody", subject="nobody", scopes=(), created=0, expires=0)
        self._never = secrets.token_bytes(32)
        self._nobody = replace(nobody, digest=self._never).encoded()

    def ends(self, record: Record) -> int:
        """When a key ends, in seconds since 1970: what it was promised, within what the operator allows today."""
        return min(record.expires, record.created + self.max_lifetime)

    async def create(self, *, owner: str, subject: str, scopes: Sequence[str], lifetime: int) -> Created:
        """Raises ValueError, with a sentence, for a name, scope or lifetime that cannot be."""
        _check(owner, subject, scopes)
        if not 0 < lifetime <= self.max_lifetime:
            raise ValueError(f"a key may live for at most {self.max_lifetime} seconds")
        key, now = ApiKey.fresh(), int(self.clock())
        unique = tuple(dict.fromkeys(scopes))
        terms = Record(version=VERSION, id=key.id, owner=owner, subject=subject, scopes=unique, created=now, expires=now + lifetime)
        record = replace(terms, digest=digest(self._pepper, self._zone, key, terms))
        if not await self._store.swap(_name(key.id), None, record.encoded(), ttl=self._kept(record)):
            raise Unavailable(what="an API key", cause=f"the store has a key {key.id} already")
        return Created(record=record, text=key.text())

    async def proved(self, key: ApiKey) -> Record:
        """The record of a good key; it can have ended. Raises Rejected, the same for an unknown, a wrong and a revoked one."""
        found = (await self._store.get_many([_name(key.id)])).get(_name(key.id))
        # P1: an unknown id is read, hashed and compared like a known one, so that neither answer nor time tells which ids exist.
        record = decoded(self._nobody if found is None else found, key.id)
        same = compare_digest(digest(self._pepper, self._zone, key, record), record.digest or self._never)
        if found is None or record.revoked is not None or not same:
            cause = "there is no such key" if found is None else "it is revoked" if record.revoked is not None else "its secret is wrong"
            raise Rejected("the API key is not one of this zone, or was revoked", key=key.id, cause=cause)
        return record

    async def all(self) -> list[Record]:
        """Every key that is still kept, the oldest first."""
        records = [decoded(raw, name.removeprefix(_name(""))) async for name, raw in self._store.scan(_name(""))]
        return sorted(records, key=lambda record: (record.created, record.id))

    async def revoke(self, key_id: str) -> Record | None:
        """End a key for good; None when there is none. Once it returns, the key is refused wherever this store is read."""
        for _ in range(3):  # another administrator can be quicker
            found = (await self._store.get_many([_name(key_id)])).get(_name(key_id))
            if found is None:
                return None
            record = decoded(found, key_id)
            if record.revoked is not None:
                return record
            # Without its digest nothing can match the key again, whatever becomes of the flag.
            ended = replace(record, digest=None, revoked=int(self.clock()))
            if await self._store.swap(_name(key_id), found, ended.encoded(), ttl=self._kept(record)):
                return ended
        raise Unavailable(what="an API key", cause=f"key {key_id} changes faster than it can be revoked")

    def _kept(self, record: Record) -> float:
        return max(record.expires + KEPT_AFTER - self.clock(), 1)


def _name(key_id: str) -> str:
    return f"key/{key_id}"


def _check(owner: str, subject: str, scopes: Sequence[str]) -> None:
    for what, name in (("owner", owner), ("subject", subject)):
        # What is printed in lists must not move the cursor or turn the line around.
        if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
            raise ValueError(f"{what} must be 1 to {MAX_NAME} printable characters")
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise ValueError("a scope is printable ASCII without spaces, quotes and backslashes; give --scope once for each")
