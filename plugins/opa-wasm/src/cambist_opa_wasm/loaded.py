"""Rules at work: compiled, filled with their data, tried once, and asked on the event loop."""

from __future__ import annotations

import asyncio

from cambist import Answer, Unavailable
from cambist.question import probe

from .broken import Broken
from .calls import Layer, fastest
from .instance import Bounds, Instance
from .module import compiled
from .result import answered
from .rules import Rules


class LoadedRules:
    """One module with one instance. An evaluation takes some 30 to 80 µs, so it is not worth a thread: two threads
    on two cores answer no more questions than one, with five times its slowest answers.
    """

    def __init__(self, rules: Rules, entrypoint: str, bounds: Bounds, layer: Layer | None = None) -> None:
        """Takes up to half a second: not for the event loop. Raises Broken."""
        self.rules = rules
        self._entrypoint, self._bounds, self._layer = entrypoint, bounds, layer or fastest()
        self._module = compiled(rules.wasm)
        self._instance: Instance | None = self._fresh()
        self._renewing = asyncio.Lock()
        self._try(self._instance)

    async def decide(self, question: bytes) -> Answer:
        """Raises Unavailable; the next question finds a fresh instance then."""
        instance = self._instance or await self._renewed()
        try:
            return answered(instance.evaluate(question), self.rules.revision)
        finally:
            if instance.spoilt and self._instance is instance:
                self._instance = None

    def _fresh(self) -> Instance:
        return Instance(self._module, self.rules.data, self._entrypoint, self._bounds, self._layer)

    async def _renewed(self) -> Instance:
        async with self._renewing:
            if self._instance is None:
                self._instance = await asyncio.to_thread(self._fresh)
            return self._instance

    @staticmethod
    def _try(instance: Instance) -> None:
        """Rules that fail on a harmless question, or answer it in two ways, are not put to work."""
        try:
            first, second = (instance.evaluate(probe()) for _ in range(2))
            answered(first)
        except Unavailable as error:
            raise Broken(f"failed on a question about nobody: {error.facts.get('cause')}") from error
        if first != second:
            raise Broken("answers one question in two ways: it keeps something from one evaluation to the next")
