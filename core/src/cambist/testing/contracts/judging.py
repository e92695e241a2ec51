"""A validator at its place in a zone, and the words for what came of a judgement."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...check import Check, Sample
from ...clock import Clock
from ...credential import Credential, Role
from ...errors import PluginFault, Refusal, Rejected, Unclaimed
from ...guard import Guard
from ...hooks import CanDiagnose
from ...identity import Proven
from ...validator import Seated, Takers, Validator
from .patience import PATIENCE, HeldForEver, bounded, shortest_hold

OURS = Path(__file__).parents[2]
LONG = 1024 * 1024
"""Longer than what a zone lets through: who is guarded well is still not to fall over it."""


@dataclass(frozen=True)
class Judge:
    """A validator as in the service: open, and with the guard of a zone around it. What it raises is an outcome like any other."""

    validator: Validator
    audience: str
    clock: Clock

    def outcome(self, credential: Credential) -> object:
        """The proof, or what was raised instead of one."""
        return self.outcomes(credential)[0]

    def outcomes(self, *credentials: Credential) -> list[object]:
        """Of credentials that are judged side by side."""
        try:
            with bounded():
                return asyncio.run(self._together(*credentials))
        except HeldForEver as held:
            return [held for _ in credentials]

    def holds(self, credential: Credential) -> float:
        """For how long nobody else can run while it is judged, in seconds."""
        with bounded():
            return asyncio.run(self._held(credential))

    @cached_property
    def _guard(self) -> Guard:
        takers = Takers.of([Seated("under-test", self.validator)])
        roles = {Role.SUBJECT: takers, Role.ACTOR: takers}
        return Guard(takers=roles, audiences=frozenset({self.audience}), max_token=2 * LONG, clock=self.clock)

    async def _together(self, *credentials: Credential) -> list[object]:
        async with self._open():
            return list(await asyncio.gather(*map(self._proved, credentials)))

    async def _held(self, credential: Credential) -> float:
        async with self._open():
            return await shortest_hold(lambda: self._proved(credential))

    def _open(self) -> AbstractAsyncContextManager[object]:
        return self.validator if isinstance(self.validator, AbstractAsyncContextManager) else nullcontext()

    async def _proved(self, credential: Credential) -> object:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._guard.prove(credential, credential.possession)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return error


async def diagnosed(validator: CanDiagnose, sample: Sample) -> Sequence[Check]:
    """A diagnosis that could not be made is one that something failed in."""
    try:
        return await validator.diagnose(sample)
    except Refusal as refusal:
        return [Check.refused("diagnosis", refusal)]


def is_refused(outcome: object) -> bool:
    """A refusal of the credential. A fault is none: the caller would get a 500, and could cause it at will."""
    return isinstance(outcome, Rejected | Unclaimed)


def told(outcome: object) -> str:
    """What came of a judgement, for whoever wrote the validator."""
    if isinstance(outcome, Proven):
        return "accepted"
    if isinstance(outcome, PluginFault):
        return _fault(outcome)
    if isinstance(outcome, TimeoutError):
        return f"not judged within {PATIENCE:g} s"
    if isinstance(outcome, Refusal):
        return f"refused: {everything(outcome)}"
    return f"{type(outcome).__name__}: {outcome}"


def everything(outcome: object) -> str:
    """All that an outcome says, to callers and to the ledger."""
    return f"{outcome!r} {outcome.facts}" if isinstance(outcome, Refusal) else repr(outcome)


def _fault(fault: PluginFault) -> str:
    cause = fault.__cause__
    if cause is None:
        return f"a fault of the plugin ({fault.facts.get('cause')}): cambist.Proven says what each of its members must be"
    if isinstance(cause, HeldForEver):
        return str(cause)
    theirs = (frame for frame in traceback.extract_tb(cause.__traceback__) if not Path(frame.filename).is_relative_to(OURS))
    where = next((f" in line {frame.lineno} of {frame.filename}" for frame in theirs), "")
    return f"a fault of the plugin ({cause!r}{where}): raise cambist.Rejected for a bad credential, and nothing else"
