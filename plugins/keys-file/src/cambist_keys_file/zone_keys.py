"""The keys of one zone, as this process knows them: seen again every second, changed under the file's lock."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cambist import Rotation, Unavailable
from cambist.clock import Clock

from . import document
from .algorithm import ALGORITHMS, AlgorithmName, public_jwk, thumbprint
from .file_key import FileKey
from .key_file import KeyFile
from .ring import KeptKey, Ring
from .sealing import SALT_BYTES, NotOpened, Sealing
from .times import Times

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Within this many seconds a change by another process is noticed."""
MAX_PUBLISHED = 50
"""A key set is not to grow without end: verifiers, ours among them, refuse long ones."""


@dataclass(frozen=True)
class Seen:
    """A key file as it was read or written."""

    raw: bytes = field(repr=False)
    ring: Ring
    sealing: Sealing = field(repr=False)


Change = Callable[[Ring, Sealing, float], Ring]
"""What is to become of a ring at a time; the same ring when nothing is. Raises Unavailable."""


class ZoneKeys:
    """Every method raises Unavailable when the file cannot be used; a file that cannot be used is never replaced."""

    def __init__(self, file: KeyFile, making: AlgorithmName, times: Times, keks: Sequence[bytes], clock: Clock) -> None:
        self._file, self._making, self._times, self._keks, self._clock = file, making, times, keks, clock
        self._seen: Seen | None = None
        self._looked = 0.0
        self._opened: dict[str, FileKey] = {}
        self._changing = asyncio.Lock()

    async def ring(self) -> Ring:
        """The keys as they are now; the first one is made when there is none."""
        if (seen := self._look()) is not None:
            return seen.ring
        async with self._changing:  # of many requests that find no key, one makes it
            if (seen := self._look()) is not None:
                return seen.ring
            return (await self._apply(self._first))[1]

    async def signing(self) -> FileKey:
        ring = await self.ring()
        key = ring.signing(self._clock())
        return self._opened.get(key.kid) or self._open(key)

    async def rotate(self, *, compromised: bool) -> Rotation:
        return await self._rotated(self._only if compromised else self._next)

    async def rotate_when_due(self, every: float) -> bool:
        """Rotate if the key that signs has done so for `every` seconds; of many processes one does."""
        if (seen := self._look()) is None or not self._is_due(seen.ring, every, self._clock()):
            return False
        return (await self._rotated(lambda ring, sealing, now: self._next_when_due(ring, sealing, now, every))).rotated

    async def withdraw(self, kid: str) -> bool:
        """Publish one key no more; says whether it was there."""
        async with self._changing:
            before, after = await self._apply(lambda ring, sealing, now: self._without(ring, sealing, now, kid))
        return after is not before

    async def rewrap(self) -> bool:
        """Encrypt the file anew under the first of the KEKs; False: it is."""
        async with self._changing:
            before, after = await asyncio.to_thread(self._rewrapped)
            self._keep(after)
        return after is not before

    def check(self) -> None:
        """Raises Unavailable when the file is open to others or another KEK's; one that is altered refuses by itself, later."""
        try:
            if (raw := self._file.read()) is not None:
                document.read(raw, self._file.zone, self._keks)
        except document.OtherKek as error:
            raise Unavailable(what=self._file.what, cause=str(error)) from error
        except document.Unreadable as error:
            log.error("%s cannot be used, and no token is issued there: %s", self._file.what, error)

    # ── seeing ──────────────────────────────────────────────────────────────────────────────────────────

    def _look(self) -> Seen | None:
        """The file as it was a second ago at most; None when there was never one. A clock that steps back makes us look again."""
        now = self._clock()
        if self._seen is None or not 0 <= now - self._looked < LOOK_EVERY:
            if (seen := self._read(self._seen)) is not None:
                self._keep(seen)
            self._looked = now
        return self._seen

    def _read(self, before: Seen | None) -> Seen | None:
        raw = self._file.read()
        if before is not None and raw == before.raw:
            return before
        if raw is None:
            if before is not None:
                raise Unavailable(what=self._file.what, cause="the file is gone; put it back, or restart to begin with a new key")
            return None
        try:
            ring, sealing = document.read(raw, self._file.zone, self._keks)
        except document.Unreadable as error:
            raise Unavailable(what=self._file.what, cause=str(error)) from error
        # Every change has a higher generation. An older state could bring back a key that was withdrawn.
        if before is not None and ring.generation <= before.ring.generation:
            raise Unavailable(what=self._file.what, cause="an older state of the file was put back; restart to accept it")
        return Seen(raw, ring, sealing)

    def _keep(self, seen: Seen) -> None:
        if self._seen is None or seen.ring.generation > self._seen.ring.generation:
            self._seen = seen
            able = {key.kid for key in seen.ring.keys if key.wrapped is not None}
            self._opened = {kid: key for kid, key in self._opened.items() if kid in able}

    def _open(self, key: KeptKey) -> FileKey:
        if self._seen is None or key.wrapped is None:
            raise Unavailable(what=self._file.what, cause=f"key {key.kid} cannot sign")
        try:
            private = self._seen.sealing.unwrap(key.wrapped, zone=self._file.zone, kid=key.kid, alg=key.alg)
        except NotOpened as error:
            raise Unavailable(what=self._file.what, cause=str(error)) from error
        opened = self._opened[key.kid] = FileKey(key.kid, key.alg, private)
        return opened

    # ── changing ────────────────────────────────────────────────────────────────────────────────────────

    async def _rotated(self, change: Change) -> Rotation:
        async with self._changing:
            before, after = await self._apply(change)
        last = after.keys[-1]
        return Rotation(rotated=last.kid not in {key.kid for key in before.keys}, kid=last.kid, signs_from=last.signs_from)

    async def _apply(self, change: Change) -> tuple[Ring, Ring]:
        """The ring before a change and after it. Waiting for lock and disk is for a thread."""
        before, after = await asyncio.to_thread(self._applied, change)
        self._keep(after)
        return before.ring, after.ring

    def _applied(self, change: Change) -> tuple[Seen, Seen]:
        with self._file.locked():
            before = self._read(self._seen) or self._blank()
            ring = change(before.ring, before.sealing, self._clock())
            return before, before if ring is before.ring else self._written(ring, before.sealing)

    def _rewrapped(self) -> tuple[Seen, Seen]:
        with self._file.locked():
            if (before := self._read(self._seen)) is None:
                raise Unavailable(what=self._file.what, cause="there is none")
            if before.sealing.check == Sealing(self._keks[0], before.ring.salt).check:
                return before, before
            sealing = Sealing(self._keks[0], salt := os.urandom(SALT_BYTES))

            def again(key: KeptKey, wrapped: bytes) -> bytes:
                return sealing.again(wrapped, before.sealing, zone=self._file.zone, kid=key.kid, alg=key.alg)

            try:
                return before, self._written(before.ring.rewrapped(salt, again), sealing)
            except NotOpened as error:
                raise Unavailable(what=self._file.what, cause=str(error)) from error

    def _written(self, ring: Ring, sealing: Sealing) -> Seen:
        after = Seen(document.written(ring, sealing), ring, sealing)
        self._file.replace(after.raw)
        return after

    def _blank(self) -> Seen:
        salt = os.urandom(SALT_BYTES)
        return Seen(b"", Ring(zone=self._file.zone, generation=0, salt=salt, keys=()), Sealing(self._keks[0], salt))

    def _first(self, ring: Ring, sealing: Sealing, now: float) -> Ring:
        return ring if ring.keys else self._only(ring, sealing, now)

    def _only(self, ring: Ring, sealing: Sealing, now: float) -> Ring:
        return ring.with_only(self._made(sealing, now, signs_from=now))

    def _next(self, ring: Ring, sealing: Sealing, now: float) -> Ring:
        ring, signs_from = self._first(ring, sealing, now), now + self._times.lead
        if (pending := ring.pending(now)) is not None:
            # The clock stepped back: counted from a time that is still to come, the key would wait for years.
            return ring.with_pending_anew(now, signs_from) if pending.made_at > now else ring
        if len(ring.published(now, self._times.retain)) >= MAX_PUBLISHED:
            raise Unavailable(what=self._file.what, cause=f"{MAX_PUBLISHED} keys are published; rotate when the oldest have gone")
        return ring.with_next(self._made(sealing, now, signs_from=signs_from), now, self._times.retain)

    def _next_when_due(self, ring: Ring, sealing: Sealing, now: float, every: float) -> Ring:
        return self._next(ring, sealing, now) if self._is_due(ring, every, now) else ring

    def _without(self, ring: Ring, sealing: Sealing, now: float, kid: str) -> Ring:
        return ring.without(kid, now, lambda: self._made(sealing, now, signs_from=now)) if ring.keys else ring

    @staticmethod
    def _is_due(ring: Ring, every: float, now: float) -> bool:
        return ring.pending(now) is None and now - ring.signing(now).signs_from >= every

    def _made(self, sealing: Sealing, now: float, *, signs_from: float) -> KeptKey:
        alg = self._making
        private = ALGORITHMS[alg].make()
        kid = thumbprint(private)
        wrapped = sealing.wrap(private, zone=self._file.zone, kid=kid, alg=alg)
        times = {"made_at": float(now), "signs_from": float(signs_from)}
        return KeptKey(kid=kid, alg=alg, public=public_jwk(private), wrapped=wrapped, **times)
