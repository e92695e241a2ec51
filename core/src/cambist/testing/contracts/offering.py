"""What a contract tests, offered as a plugin would offer it."""

from __future__ import annotations

from dataclasses import dataclass

from ...audit import Observer
from ...hooks import Host, ZoneHost, hookimpl
from ...validator import Validator


@dataclass(frozen=True)
class OfferedValidator:
    """A plugin module that offers one validator."""

    validator: Validator

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> list[Validator]:
        return [self.validator]


@dataclass(frozen=True)
class OfferedObserver:
    """A plugin module that offers one observer."""

    observer: Observer

    @hookimpl
    def cambist_observers(self, host: Host) -> list[Observer]:
        return [self.observer]
