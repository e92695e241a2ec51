"""A plugin that fills every seam well, until a test arms it: then it fails at one step, in one way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cambist import (
    Answer,
    Credential,
    Host,
    Identity,
    KeyStore,
    Mark,
    Observer,
    Permit,
    Policy,
    PolicyInput,
    Proven,
    Record,
    Refusal,
    Rejected,
    SigningKey,
    Store,
    Unavailable,
    Unverified,
    Validator,
    ZoneHost,
    hookimpl,
)
from cambist.keys import EphemeralKeys
from cambist.store import MemoryStore
from cambist.testing import Running
from cambist.testing.trusting import Trusting

from .stage import CLOCK, FORGE, BadgeValidator, staged

NOTHING: Any = object()


class Stop(KeyboardInterrupt):
    """What looks like the operator's Ctrl-C, and is a plugin's."""


class Bare(Rejected):
    """A refusal that never called its parent."""

    def __init__(self, text: str) -> None:
        self.text = text


class Mute(Exception):
    """An error that fails when it is told."""

    def __str__(self) -> str:
        raise RuntimeError("not even that")


RAISES: Mapping[str, Callable[[str], BaseException]] = {
    kind.__name__: kind
    for kind in (
        ValueError,
        KeyError,
        LookupError,
        MemoryError,
        RecursionError,
        TimeoutError,
        StopIteration,
        StopAsyncIteration,
        UnicodeError,
        BaseException,
        SystemExit,
        asyncio.CancelledError,
        Stop,
        Bare,
        Mute,
    )
} | {
    "Refusal": lambda text: Refusal(cause=type(text).__name__),
    "Unavailable": lambda text: Unavailable(what="a dependency", cause="down"),
    "ExceptionGroup": lambda text: ExceptionGroup(text, [ValueError(text)]),
}

ANYTHING: Sequence[object] = (None, True, 0, "yes", b"", {}, [], {"allow": True}, object(), Permit, Identity(issuer="i", subject="s"))
RETURNS: Mapping[str, Sequence[object]] = {
    "validate": ANYTHING,
    "decide": ANYTHING,
    "claim": [value for value in ANYTHING if value is not None],
    "signing": ANYTHING,
    "sign": [*(value for value in ANYTHING), b"\0" * 64, b"x"],
}
STEPS = ("recognizes", "validate", "decide", "claim", "signing", "sign", "published", "observe")
BEFORE_SPENDING = frozenset(STEPS[:5])


@dataclass
class Faults:
    """What is to go wrong. `told` is a text that errors will say."""

    step: str | None = None
    raises: Callable[[str], BaseException] | None = None
    returns: object = NOTHING
    told: str = field(default="", repr=False)

    def at(self, step: str) -> Any:
        """What a step answers instead; NOTHING while it is well."""
        if step != self.step:
            return NOTHING
        if self.raises is not None:
            raise self.raises(self.told)
        return self.returns

    def heal(self) -> None:
        self.step = None


class Judge(BadgeValidator):
    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def recognizes(self, unverified: Unverified) -> bool:
        return True if (found := self.faults.at("recognizes")) is NOTHING else bool(found)

    async def validate(self, credential: Credential) -> Proven:
        return await super().validate(credential) if (found := self.faults.at("validate")) is NOTHING else found


class Rule:
    name, revision = "faulty", "1"

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    async def decide(self, question: PolicyInput) -> Answer:
        return Permit(multi_audience=True) if (found := self.faults.at("decide")) is NOTHING else found


class Place(MemoryStore):
    def __init__(self, faults: Faults) -> None:
        super().__init__(CLOCK)
        self.faults = faults

    async def claim(self, marks: Sequence[Mark]) -> Mark | None:
        return await super().claim(marks) if (found := self.faults.at("claim")) is NOTHING else found


@dataclass(frozen=True)
class Key:
    inner: SigningKey
    faults: Faults

    @property
    def kid(self) -> str:
        return self.inner.kid

    @property
    def alg(self) -> str:
        return self.inner.alg

    async def sign(self, message: bytes) -> bytes:
        return await self.inner.sign(message) if (found := self.faults.at("sign")) is NOTHING else found


class Safe(EphemeralKeys):
    def __init__(self, faults: Faults) -> None:
        super().__init__(CLOCK)
        self.faults = faults

    async def signing(self, zone_id: str) -> SigningKey:
        return Key(await super().signing(zone_id), self.faults) if (found := self.faults.at("signing")) is NOTHING else found

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        return await super().published(zone_id) if (found := self.faults.at("published")) is NOTHING else found


class Scribe:
    required = True

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    async def observe(self, record: Record) -> None:
        self.faults.at("observe")


class Faulty:
    """The plugin."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
        yield Judge(self.faults)

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        yield Rule(self.faults)

    @hookimpl
    def cambist_stores(self, host: Host) -> Iterator[Store]:
        yield Place(self.faults)

    @hookimpl
    def cambist_keystores(self, host: Host) -> Iterator[KeyStore]:
        yield Safe(self.faults)

    @hookimpl
    def cambist_observers(self, host: Host) -> Iterator[Observer]:
        yield Scribe(self.faults)


@asynccontextmanager
async def faulty(faults: Faults, **table: Any) -> AsyncIterator[Running]:
    """A service that stands on the faulty plugin with everything it has."""
    async with staged(modules={"trusting": Trusting(FORGE), "faulty": Faulty(faults)}, **table) as running:
        yield running
