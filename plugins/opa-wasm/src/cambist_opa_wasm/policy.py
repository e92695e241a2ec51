"""The policy backend: asks the rules at work, looks whether they changed on disk, and swaps them in one assignment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from cambist import Answer, PolicyInput, Unavailable, ZoneHost

from .broken import Broken
from .instance import Bounds
from .loaded import LoadedRules
from .rules import Rules, read
from .runtime import runtime
from .settings import OpaWasmSettings

log = logging.getLogger(__name__)

DEFAULT = Path(__file__).with_name("default.tar.gz")


class OpaWasmPolicy:
    """Rules in process. Broken ones never replace good ones; they show in /ready and in the log."""

    name = "opa-wasm"

    def __init__(self, settings: OpaWasmSettings, host: ZoneHost) -> None:
        """Reads the files, so that missing or torn ones keep the service shut. Raises Broken."""
        self._settings, self._host = settings, host
        self._bounds = Bounds(fuel=settings.fuel, deadline=settings.deadline, memory=settings.memory)
        self._rules = self._read()
        self._loaded: LoadedRules | None = None
        self._refused: Mapping[str, str] = {}
        self._problem: Broken | None = None
        self._held = ExitStack()

    @property
    def revision(self) -> str:
        return self._rules.revision

    async def decide(self, question: PolicyInput) -> Answer:
        if self._loaded is None:
            raise Unavailable(what="the policy", cause="it is not open")
        return await self._loaded.decide(question.encoded())

    async def ping(self) -> None:
        """Raises Unavailable when it is not open, and when the rules on disk are not those at work."""
        if self._loaded is None:
            raise Unavailable(what="the policy", cause="it is not open")
        if self._problem is not None:
            raise Broken(f"{self._problem.cause} (still at work: {self.revision})")

    async def __aenter__(self) -> Self:
        self._loaded = await asyncio.to_thread(self._load, self._rules)
        self._held.enter_context(runtime())
        if self._settings.reload:
            self._host.background(f"zone {self._host.zone.id}", self._watch())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._loaded = None
        self._held.close()

    async def look(self) -> None:
        """Look at the files once, and put changed rules to work. Never raises: what is wrong is kept for `ping`."""
        try:
            rules = await asyncio.to_thread(self._read)
            if rules.digest != self._rules.digest:
                await self._replace(rules)
            self._problem = None
        except Broken as broken:
            self._note(broken)
        except Exception as error:  # the rules at work must outlive whatever is wrong with the next
            self._note(Broken(f"{type(error).__name__}: {error}"))

    async def _replace(self, rules: Rules) -> None:
        """Try the rules in a thread, then swap. What was refused once is not compiled again. Raises Broken."""
        if (cause := self._refused.get(rules.digest)) is not None:
            raise Broken(cause)
        try:
            loaded = await asyncio.to_thread(self._load, rules)
        except Broken as broken:
            self._refused = {rules.digest: broken.cause}
            raise
        if self._loaded is not None:  # else it was closed in the meantime
            log.info("policy rules swapped: %s after %s", rules.revision, self.revision)
            self._loaded, self._rules, self._refused = loaded, rules, {}

    def _read(self) -> Rules:
        return read(self._settings.bundle or DEFAULT, self._settings.data)

    def _load(self, rules: Rules) -> LoadedRules:
        with runtime():
            return LoadedRules(rules, self._settings.entrypoint, self._bounds)

    def _note(self, broken: Broken) -> None:
        if self._problem is None or self._problem.cause != broken.cause:
            log.error("new policy rules are broken, %s stays at work: %s", self.revision, broken.cause)
        self._problem = broken

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._settings.reload)
            await self.look()
