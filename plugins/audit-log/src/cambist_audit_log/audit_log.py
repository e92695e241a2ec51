"""The observer: one line for each decision, before the answer, and the one that is asked for read back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cambist import Record, Store, Unavailable
from cambist.audit import DONE

from . import directory, reading
from .chain import Chain, event
from .checkpoints import Checkpoints
from .sample import Sample
from .sealing import Keyring
from .segment import Segment
from .settings import AuditLogSettings
from .syncing import Syncing
from .telling import untold, written

if TYPE_CHECKING:
    import click

log = logging.getLogger(__name__)

WHAT = "the audit log"


class AuditLog:
    """Writes decisions to a chain of its own. `required`: what cannot be written is not issued.

    `clock` says seconds since 1970, `background` runs what goes on beside the requests while the log is open.
    """

    required = True

    def __init__(
        self,
        settings: AuditLogSettings,
        clock: Callable[[], float],
        store: Store,
        background: Callable[[str, Coroutine[Any, Any, None]], None],
    ) -> None:
        self.settings, self.clock, self._background = settings, clock, background
        self.keyring = Keyring(settings.kek, settings.former_keks)
        self.checkpoints = Checkpoints(store, settings.owner)
        self._sample = Sample(settings.sample, clock)
        self._chain: Chain | None = None
        self._trouble: str | None = None
        self._unkept: str | None = None

    async def __aenter__(self) -> Self:
        """Raises Unavailable when the directory cannot be used. Nothing is written before the first decision."""
        try:
            directory.prepare(self.settings.directory)
        except OSError as error:
            raise _unavailable(error) from error
        self._syncing = Syncing(self.settings.sync)
        if self.settings.sync == "group":
            self._background("sync", self._syncing.in_groups())
        self._background("seal", self._seals())
        if self.settings.keep_age is not None or self.settings.keep_bytes is not None:
            self._background("retention", self._retires())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        left_out = self._sample.left_out
        if self._chain is not None or left_out:
            try:
                self._event("end", **({"left_out": left_out} if left_out else {}))
            except Unavailable:
                log.error("the audit log could not be closed; %d decisions that were only counted are in no line of it", left_out)
        if self._chain is not None and (segment := self._chain.let_go()) is not None:
            await self._syncing.retire(segment)
        self._syncing.close()
        await self.seal()

    # ── the seam ────────────────────────────────────────────────────────────────────────────────────────

    def observe(self, record: Record) -> Awaitable[None]:
        """Write one line. Raises Unavailable when it is not with the operating system, or not as safe as the settings say."""
        if not self._sample.admits(record):
            return DONE
        left_out = self._sample.left_out
        segment = self._written(self._line(record, left_out))
        self._sample.left_out -= left_out
        return self._settled(segment) if self._syncing.must_wait(segment) else DONE

    async def _settled(self, segment: Segment) -> None:
        try:
            await self._syncing.settled(segment)
        except OSError as error:
            self._fail(error)
            raise _unavailable(error) from error

    async def find(self, decision_id: str) -> Mapping[str, Any] | None:
        """The line of a decision, the newest if there are several. Raises Unavailable when it was altered, or nothing can be read."""
        try:
            return await asyncio.to_thread(reading.found, self.settings.directory, self.keyring, decision_id)
        except reading.Altered as error:
            raise Unavailable(what=WHAT, cause=f"{error}; ask `cambist audit verify`") from error
        except OSError as error:
            raise _unavailable(error) from error

    async def ping(self) -> None:
        """Raises Unavailable when the next line could not be written, or the ends of chains cannot be noted in the store."""
        if self._trouble is not None:
            self._event("recovered", trouble=self._trouble)  # only what is written shows whether there is space again
        try:
            directory.inspect(self.settings.directory)
        except OSError as error:
            raise _unavailable(error) from error
        if self._unkept is not None:
            raise Unavailable(what="the checkpoints of the audit log", cause=self._unkept)

    def command(self) -> click.Command:
        from .command import audit  # noqa: PLC0415 - click belongs to the command line; a service does without it

        return audit(self)

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────

    def _line(self, record: Record, left_out: int) -> bytes:
        try:
            return written(record, self.settings.attributes, left_out)
        except Exception as error:
            # Whatever a plugin put into the trace: there is exactly one record for each decision (I12).
            log.error("decision %s cannot be told: %s", record.decision_id, type(error).__name__)
            return untold(record, error, left_out)

    def _event(self, name: str, **more: Any) -> None:
        self._written(event(name, self.clock(), **more))

    def _written(self, line: bytes) -> Segment:
        try:
            segment = self._ours().append(line)
        except OSError as error:
            self._fail(error)
            raise _unavailable(error) from error
        self._trouble = None
        return segment

    def _ours(self) -> Chain:
        if self._chain is None or not self._chain.ours:
            self._chain = Chain(self.settings, self.keyring, self.clock, self._syncing.retire)
        return self._chain

    def _fail(self, error: OSError) -> None:
        if self._trouble is None:
            log.error("the audit log cannot be written, so nothing is issued: %s", cause(error))
        self._trouble = cause(error)

    # ── beside the requests ─────────────────────────────────────────────────────────────────────────────

    async def _seals(self) -> None:
        while True:
            await asyncio.sleep(self.settings.seal_interval)
            await self.seal()

    async def seal(self) -> None:
        """Note in the store where the chain ends, once that is as safe as the settings say. What fails is told by `ping`."""
        chain = self._chain
        if chain is None or chain.head == chain.kept:
            return
        head = chain.head
        try:
            if chain.segment is not None:
                await self._syncing.settled(chain.segment)
            await self.checkpoints.keep(chain.id, head)
        except Exception as error:
            # Whatever is wrong with the store: lines are written all the same, and only how much could be cut off unseen grows.
            if self._unkept is None:
                log.error("the end of the audit log cannot be noted in the store: %s", cause(error))
            self._unkept = cause(error)
        else:
            chain.kept, self._unkept = head, None

    async def _retires(self) -> None:
        from .retention import PAUSE, Retention  # noqa: PLC0415 - only where something is deleted

        retention = Retention(self.settings, self.keyring, self.checkpoints, self.clock)
        while True:
            await asyncio.sleep(PAUSE)
            if self._chain is not None:  # a command that only looks deletes nothing
                await retention.round(self._event)


def cause(error: Exception) -> str:
    """What went wrong, in words for an operator."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(getattr(error, "facts", {}).get("cause", type(error).__name__))


def _unavailable(error: OSError) -> Unavailable:
    return Unavailable(what=WHAT, cause=cause(error))
