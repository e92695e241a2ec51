"""`audit-log` keeps the contract of every observer also when each line is on the disk before the answer, and when there is no disk."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import pytest

from cambist import Observer
from cambist.store import MemoryStore
from cambist.testing import MovableClock, ObserverContract
from cambist.testing.contracts.observer import Opened
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.settings import AuditLogSettings
from cambist_audit_log.testing import Beside, decisions, raw, table


class LosesItsFolder(AuditLog):
    """Opens as it should; then somebody unmounts the disk."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        shutil.rmtree(self.settings.directory)
        return self


def opening(kind: type[AuditLog], folder: Path) -> Opened:
    @asynccontextmanager
    async def opened(clock: MovableClock) -> AsyncIterator[Observer]:
        settings = AuditLogSettings.model_validate(table(folder, sync="always"))
        yield kind(settings, clock, MemoryStore(clock), Beside())  # the service opens it

    return opened


class TestAuditLogOnTheDisk(ObserverContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Opened:
        self.folder = tmp_path
        return opening(AuditLog, tmp_path)

    @pytest.fixture
    def cut_off(self, tmp_path: Path) -> Iterable[Opened]:
        return (opening(LosesItsFolder, tmp_path),)

    def told(self, observer: Observer) -> tuple[int, str]:
        return len(decisions(self.folder)), raw(self.folder).decode()
