"""Policies for tests, offered as a plugin would offer them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..hooks import ZoneHost, hookimpl
from ..policy import Answer, Permit, Policy, PolicyInput


class Scripted:
    """A policy that answers as the test says, and remembers what it was asked. It is its own plugin module."""

    name = "scripted"
    revision = "test"

    def __init__(self, answer: Answer | Callable[[PolicyInput], Answer]) -> None:
        self.answer = answer
        self.asked: list[PolicyInput] = []

    async def decide(self, question: PolicyInput) -> Answer:
        self.asked.append(question)
        return self.answer(question) if callable(self.answer) else self.answer

    @hookimpl
    def cambist_policies(self, host: ZoneHost) -> Iterator[Policy]:
        yield self


class AllowAll(Scripted):
    """Permits whatever was asked: for tests of everything but policy."""

    def __init__(self) -> None:
        super().__init__(Permit(multi_audience=True))
