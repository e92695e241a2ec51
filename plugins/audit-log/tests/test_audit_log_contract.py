"""`audit-log` keeps the contract of every observer also when each line is on the disk before the answer, and when there is no disk."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from cambist import Observer
from cambist.testing import MovableClock, ObserverContract
from cambist.testing.contracts.observer import Opened
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.settings import AuditLogSettings


class LosesItsFolder(AuditLog):
    """Opens as it should; then somebody unmounts the disk."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        shutil.rmtree(self._settings.path.parent)
        return self


def opening(kind: type[AuditLog], path: Path) -> Opened:
    def not_now(name: str, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    @asynccontextmanager
    async def opened(clock: MovableClock) -> AsyncIterator[Observer]:
        path.parent.mkdir(exist_ok=True)
        yield kind(AuditLogSettings(path=path, sync="always"), clock, not_now)  # the service opens it

    return opened


class TestAuditLogOnTheDisk(ObserverContract):
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        self.written = tmp_path / "log" / "decisions.jsonl"
        return self.written

    @pytest.fixture
    def opened(self, path: Path) -> Opened:
        return opening(AuditLog, path)

    @pytest.fixture
    def cut_off(self, path: Path) -> Iterable[Opened]:
        return (opening(LosesItsFolder, path),)

    def told(self, observer: Observer) -> tuple[int, str]:
        text = self.written.read_text("utf-8")
        return len(text.splitlines()), text
