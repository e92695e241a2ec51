"""The keys of an issuer: where they come from, and how long they are believed."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from . import strictjson
from .clock import Clock
from .discovery import Fetched, Gets, fetched, jwks_uri
from .errors import Unavailable
from .jwk import KeySet, PublicKey, undeclared

log = logging.getLogger(__name__)

SOFT_AGE = 300.0
"""After this many seconds a key set is fetched anew when it is next needed."""
HARD_AGE = 86_400.0
"""For this many seconds the last good key set is believed while its issuer cannot be reached."""
REFETCH_FLOOR = 60.0
"""An unknown kid causes one fetch in this many seconds, whatever the load."""
RETRY_FLOOR = 5.0
"""After a failure, nobody asks again for this many seconds."""
PATIENCE = 1.0
"""How long a token waits for fresh keys when there are old ones to fall back on, in seconds."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})", re.IGNORECASE)


class Keys(Protocol):
    """Where the keys of one issuer come from."""

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        """The key for a header; raises KeyUnknown when there is none, Unavailable when that cannot be said."""


@dataclass(slots=True, eq=False)
class InlineKeys:
    """Keys that stand in the settings, kept from when a credential first needs them: of thousands of issuers few may ever be named."""

    document: Mapping[str, Any] = field(repr=False)
    algorithms: Collection[str] = ()
    _keys: KeySet | None = field(default=None, init=False, repr=False)

    def read(self) -> KeySet:
        """Raises Unavailable when they are no key set."""
        return KeySet.of(self.document, rsa=undeclared(self.algorithms))

    def checked(self, issuer: str) -> InlineKeys:
        """The same. Raises Unavailable when none of them can be used: that is a mistake, and will not mend itself."""
        try:
            keys = self.read()
        except Unavailable as error:
            raise Unavailable(what=f"the keys of {issuer}", cause=_cause(error)) from error
        if not keys.keys:
            raise Unavailable(what=f"the keys of {issuer}", cause="; ".join(keys.dropped) or "there are none")
        return self

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        if self._keys is None:
            self._keys = self.read()
        return self._keys.find(kid, algorithm)


@dataclass(slots=True, eq=False, weakref_slot=True)
class FileKeys:
    """Keys in a file, read again when it changes. A replacement that is broken changes nothing, for as long as old keys are kept."""

    path: Path
    clock: Clock
    kept: float = HARD_AGE
    rsa: str = "RS256"
    trouble: str | None = None
    _keys: KeySet = field(default_factory=lambda: KeySet(()))
    _stamp: tuple[int, int, int] | None = None
    _sound: float = -math.inf

    def read(self) -> KeySet:
        """Raises Unavailable when the file is not a key set, and was none for too long."""
        now = self.clock()
        try:
            status = self.path.stat()
            # The inode too: keys of one kind have one size, and a file that is moved into place keeps its time.
            if self._stamp != (stamp := (status.st_mtime_ns, status.st_size, status.st_ino)):
                self._keys = KeySet.of(strictjson.loads(self.path.read_bytes()), rsa=self.rsa)
                self._stamp = stamp
            self._sound, self.trouble = now, None
        except (OSError, strictjson.NotStrict, Unavailable) as error:
            self.trouble = _cause(error)
            if now - self._sound > self.kept:
                raise Unavailable(what=f"key file {self.path}", cause=self.trouble) from error
        return self._keys

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        return self.read().find(kid, algorithm)

    def warning(self) -> str | None:
        return self.trouble and f"{_since(self.clock() - self._sound)}: {self.trouble}"


class RemoteKeys:
    """Keys behind a URL, or found by discovery: fetched once for all who wait, kept through an outage, refetched for a new kid."""

    def __init__(
        self,
        http: Gets,
        clock: Clock,
        *,
        issuer: str,
        jwks_url: str | None = None,
        locate: Callable[[Gets, str], Awaitable[str]] = jwks_uri,
        rsa: str = "RS256",
        max_age: float = SOFT_AGE,
        kept: float = HARD_AGE,
    ) -> None:
        self._http, self.clock, self.issuer, self.url, self._rsa = http, clock, issuer, jwks_url, rsa
        self._locate, self._max_age, self._kept = locate, max_age, max(kept, max_age)
        self.trouble: str | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._awaited = False
        self.forget()

    def forget(self) -> None:
        """Believe none of the keys that were fetched; the next token waits for fresh ones. What is under way does not count."""
        self._keys: KeySet | None = None
        self._fetched = self._tried = -math.inf
        self._fresh = self._max_age
        self._fetching = None

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        now = self.clock()
        age = now - self._fetched
        if self._keys is None or age > self._kept:
            await self._refresh(now)
        elif age > 2 * self._fresh and self._is_worth_waiting(now):
            # Nobody came for a while: a key that was withdrawn meanwhile must not open for the first ones who do (K6).
            await self._refresh(now, PATIENCE)
        elif not 0 <= age <= self._fresh:
            self._start(now)  # the last good keys serve meanwhile: nobody waits for a fetch that is not needed
        if found := self._believed(now).fitting(kid, algorithm):
            return found
        # A key that is new may be in the answer that is under way, for whatever reason it was asked for.
        if self._fetching is not None or now - self._tried >= REFETCH_FLOOR:
            await self._refresh(now)
        return self._believed(now).find(kid, algorithm)

    def warning(self) -> str | None:
        """What an operator should know of it, while tokens are judged all the same."""
        if self.trouble is None:
            return None
        return f"{'there are none' if self._keys is None else _since(self.clock() - self._fetched)}: {self.trouble}"

    def _is_worth_waiting(self, now: float) -> bool:
        """Whether fresh keys may come in a moment: nobody tried for long, or somebody waits for them, not in vain yet."""
        return self._awaited if self._fetching is not None else now - self._tried > self._fresh

    def _believed(self, now: float) -> KeySet:
        if self._keys is None or now - self._fetched > self._kept:
            raise Unavailable(seen=self.issuer, what=f"the keys of {self.issuer}", cause=self.trouble)
        return self._keys

    async def _refresh(self, now: float, patience: float | None = None) -> None:
        begins = self._fetching is None
        if task := self._start(now):
            if begins:
                self._awaited = patience is not None
            try:
                async with asyncio.timeout(patience):
                    # One caller who hangs up must not cancel the fetch that others wait for.
                    await asyncio.shield(task)
            except TimeoutError:
                self._awaited = False

    def _start(self, now: float) -> asyncio.Task[None] | None:
        """The fetch under way, a new one, or none when the last attempt was a moment ago."""
        if self._fetching is None and not 0 <= now - self._tried < RETRY_FLOOR:
            self._tried = now
            self._fetching = asyncio.create_task(self._fetch(now))
            self._fetching.add_done_callback(self._done)
        return self._fetching

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._fetching is task:
            self._fetching, self._awaited = None, False

    async def located(self) -> str:
        """Where they are. Raises Unavailable."""
        return self.url or await self._locate(self._http, self.issuer)

    async def document(self, url: str) -> Fetched:
        """What stands there at this moment. Raises Unavailable."""
        # A URL from a document of an issuer out there leads nowhere on this machine, however it is spelt.
        return await fetched(self._http, url, foreign=self.url is None and self.issuer.startswith("https:"))

    def read(self, document: Fetched) -> KeySet:
        """Raises Unavailable when it is no key set."""
        return KeySet.of(document.value, rsa=self._rsa)

    def fresh(self, document: Fetched) -> float:
        """How long it is believed before it is fetched anew, in seconds."""
        return _freshness(document, self._max_age)

    async def _fetch(self, now: float) -> None:
        me = asyncio.current_task()
        try:
            document = await self.document(await self.located())
            keys, trouble = self.read(document), None
        except Unavailable as error:
            keys, trouble = None, _cause(error)
        if self._fetching is not me:
            return  # these keys were asked for before it was said that they are not to be believed
        if keys is not None:
            self._told(keys)
            self._keys, self._fetched, self._fresh = keys, now, self.fresh(document)
        elif self.trouble is None:
            log.warning("the keys of %s cannot be fetched: %s", self.issuer, trouble)
        self.trouble = trouble

    def _told(self, keys: KeySet) -> None:
        if self.trouble is not None:
            log.warning("the keys of %s can be fetched again", self.issuer)
        if keys.dropped and (self._keys is None or self._keys.dropped != keys.dropped):
            log.warning("of the keys of %s these are not used: %s", self.issuer, list(keys.dropped))


def _freshness(document: Fetched, most: float) -> float:
    """As long as the issuer says (RFC 9111 section 5.2.2), within our bounds."""
    stated = _MAX_AGE.search(document.headers.get("cache-control", ""))
    return min(most, max(REFETCH_FLOOR, float(stated[1]))) if stated else most


def _since(seconds: float) -> str:
    return f"last good {math.ceil(seconds)} seconds ago" if math.isfinite(seconds) else "there never were good ones"


def _cause(error: Exception) -> str:
    """What went wrong, for an operator."""
    return str(error.facts.get("cause") or error.said) if isinstance(error, Unavailable) else str(error)


def inline(issuer: str, document: Mapping[str, Any], algorithms: Collection[str] = ()) -> InlineKeys:
    """Keys that were given, and can be used. Raises Unavailable when none of them can."""
    return InlineKeys(document, algorithms).checked(issuer)
