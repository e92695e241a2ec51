"""The keys of an issuer: where they come from, and how long they are believed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from authlib.oidc.discovery import OpenIDProviderMetadata

from . import strictjson
from .clock import Clock
from .egress import Egress
from .errors import Unavailable
from .jwk import KeySet, PublicKey

SOFT_AGE = 300.0
"""After this many seconds a key set is fetched anew when it is next needed."""
HARD_AGE = 86_400.0
"""For this many seconds the last good key set is believed while its issuer cannot be reached."""
REFETCH_FLOOR = 60.0
"""An unknown kid causes one fetch in this many seconds, whatever the load."""
RETRY_FLOOR = 5.0
"""After a failure, nobody asks again for this many seconds."""


class Keys(Protocol):
    """Where the keys of one issuer come from."""

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        """The key for a header; raises KeyUnknown when there is none, Unavailable when that cannot be said."""


@dataclass(frozen=True, slots=True)
class InlineKeys:
    """Keys that stand in the settings."""

    keys: KeySet

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        return self.keys.find(kid, algorithm)


@dataclass(slots=True)
class FileKeys:
    """Keys in a file, read again when it changes. A replacement that is broken changes nothing, for HARD_AGE."""

    path: Path
    clock: Clock
    _keys: KeySet = field(default_factory=lambda: KeySet(()))
    _stamp: tuple[int, int, int] | None = None
    _sound: float = -HARD_AGE

    def read(self) -> KeySet:
        """Raises Unavailable when the file is not a key set, and was none for too long."""
        now = self.clock()
        try:
            status = self.path.stat()
            # The inode too: keys of one kind have one size, and a file that is moved into place keeps its time.
            if self._stamp != (stamp := (status.st_mtime_ns, status.st_size, status.st_ino)):
                self._keys = KeySet.of(strictjson.loads(self.path.read_bytes()))
                self._stamp = stamp
            self._sound = now
        except (OSError, strictjson.NotStrict, Unavailable) as error:
            if now - self._sound > HARD_AGE:
                raise Unavailable(what=f"key file {self.path}", cause=_cause(error)) from error
        return self._keys

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        return self.read().find(kid, algorithm)


class RemoteKeys:
    """Keys behind a URL, or found by discovery: fetched once for all who wait, kept through an outage, refetched for a new kid."""

    def __init__(self, http: Egress, clock: Clock, *, issuer: str, jwks_url: str | None = None) -> None:
        self._http, self._clock, self._issuer, self._url = http, clock, issuer, jwks_url
        self._keys: KeySet | None = None
        self._fetched = self._tried = -HARD_AGE
        self._fetching: asyncio.Task[None] | None = None
        self.trouble: str | None = None

    async def find(self, kid: object, algorithm: str) -> PublicKey:
        now = self._clock()
        if self._keys is None or now - self._fetched > HARD_AGE:
            await self._refresh(now)
        elif now - self._fetched > SOFT_AGE:
            self._start(now)  # the last good keys serve meanwhile: nobody waits for a fetch that is not needed
        if found := self._believed(now).fitting(kid, algorithm):
            return found
        # A key that is new may be in the answer that is under way, for whatever reason it was asked for.
        if self._fetching is not None or now - self._tried >= REFETCH_FLOOR:
            await self._refresh(now)
        return self._believed(now).find(kid, algorithm)

    def _believed(self, now: float) -> KeySet:
        if self._keys is None or now - self._fetched > HARD_AGE:
            raise Unavailable(what=f"the keys of {self._issuer}", cause=self.trouble)
        return self._keys

    async def _refresh(self, now: float) -> None:
        # One caller who hangs up must not cancel the fetch that others wait for.
        if task := self._start(now):
            await asyncio.shield(task)

    def _start(self, now: float) -> asyncio.Task[None] | None:
        """The fetch under way, a new one, or none when the last attempt was a moment ago."""
        if self._fetching is None and now - self._tried >= RETRY_FLOOR:
            self._tried = now
            self._fetching = asyncio.create_task(self._fetch(now))
            self._fetching.add_done_callback(self._done)
        return self._fetching

    def _done(self, task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self, now: float) -> None:
        try:
            url = self._url or await self._discover()
            self._keys = KeySet.of(await self._document(url))
            self._fetched, self.trouble = now, None
        except Unavailable as error:
            self.trouble = _cause(error)

    async def _discover(self) -> str:
        metadata = await self._document(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        # OpenID Connect Discovery section 4.3: a document that names another issuer is not this issuer's.
        if not isinstance(metadata, dict) or metadata.get("issuer") != self._issuer:
            raise Unavailable(what="discovery", cause="the document names another issuer")
        url = metadata.get("jwks_uri")
        if not isinstance(url, str):
            raise Unavailable(what="discovery", cause="the document has no jwks_uri")
        if self._issuer.startswith("https:"):  # Authlib takes nothing else; an issuer on this machine may do without
            try:
                document = OpenIDProviderMetadata(metadata)
                document.validate_issuer()
                document.validate_jwks_uri()  # type: ignore[no-untyped-call]  # the stubs leave it out
            except ValueError as error:
                raise Unavailable(what="discovery", cause=str(error)) from error
            # Authlib lets http pass for this very machine: an issuer out there has no keys in here.
            if not url.startswith("https:"):
                raise Unavailable(what="discovery", cause="jwks_uri is not an https URL")
        return url

    async def _document(self, url: str) -> Any:
        answer = await self._http.get(url)
        if answer.status != 200:
            raise Unavailable(what=url, cause=f"status {answer.status}")
        try:
            return strictjson.loads(answer.body)
        except strictjson.NotStrict as error:
            raise Unavailable(what=url, cause=str(error)) from error


def _cause(error: Exception) -> str:
    """What went wrong, for an operator."""
    return str(error.facts.get("cause") or error.said) if isinstance(error, Unavailable) else str(error)


def inline(issuer: str, document: Mapping[str, Any]) -> InlineKeys:
    """Keys that stand in the settings. Raises Unavailable when none of them can be used: that is a mistake, and will not mend itself."""
    try:
        keys = KeySet.of(document)
    except Unavailable as error:
        raise Unavailable(what=f"the keys of {issuer}", cause=_cause(error)) from error
    if not keys.keys:
        raise Unavailable(what=f"the keys of {issuer}", cause="; ".join(keys.dropped) or "there are none")
    return InlineKeys(keys)
