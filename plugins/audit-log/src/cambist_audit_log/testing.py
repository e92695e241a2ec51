"""A ledger in a folder of a test: the settings for it, and what was written to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from cambist import Record, Store
from cambist.clock import Clock
from cambist.store import MemoryStore
from cambist.trace import Trace

from .audit_log import AuditLog
from .checkpoints import Checkpoints
from .findings import Report
from .sealing import Keyring
from .settings import AuditLogSettings
from .verifying import Ledger

KEK = "5a" * 32


def table(folder: Path, **more: Any) -> dict[str, Any]:
    """The settings, as TOML would give them."""
    return {"directory": str(folder / "audit"), "kek": KEK, **more}


class Beside:
    """Stands in for what a host runs beside the requests: nothing runs, or all of it until it is cancelled."""

    def __init__(self, *, runs: bool = False) -> None:
        self._runs, self.tasks = runs, dict[str, asyncio.Task[Any]]()

    def __call__(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if self._runs:
            self.tasks[name] = asyncio.get_running_loop().create_task(work)
        else:
            work.close()


def unopened(folder: Path, clock: Clock, store: Store | None = None, *, runs: bool = False, **more: Any) -> AuditLog:
    """The observer by itself."""
    settings = AuditLogSettings.model_validate(table(folder, **more))
    return AuditLog(settings, clock, store or MemoryStore(clock), Beside(runs=runs))


def record(decision_id: str, at: float) -> Record:
    """A decision of which nothing is told but its id."""
    return Record(decision_id=decision_id, outcome="permitted", at=at, trace=Trace(decision_id, at))


def killed(log: AuditLog) -> None:
    """End it as `kill -9` does: nothing more is written, and nobody has its files."""
    if log._chain is not None and (segment := log._chain.let_go()) is not None:
        segment.finish(sync=False)
    log._syncing.close()


async def report(folder: Path, store: Store, **more: Any) -> Report:
    """What a verification finds, with the checkpoints of a store."""
    settings = AuditLogSettings.model_validate(table(folder, **more))
    keyring = Keyring(settings.kek, settings.former_keks)
    checkpoints = await Checkpoints(store, settings.owner).all()
    return Ledger(settings.directory, keyring, settings.owner, checkpoints).verified()


def segments(folder: Path) -> list[Path]:
    """The files, by chain and number."""
    return sorted((folder / "audit").glob("*.jsonl"))


def raw(folder: Path) -> bytes:
    """Everything that was written."""
    return b"".join(path.read_bytes() for path in segments(folder))


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every whole line; what a process did not finish is none."""
    return [json.loads(line) for path in segments(folder) for line in path.read_bytes().split(b"\n")[:-1]]


def decisions(folder: Path) -> list[dict[str, Any]]:
    """The lines of decisions."""
    return [line for line in lines(folder) if "decision_id" in line]


def ids(folder: Path) -> list[str]:
    """The ids of the decisions, in their order."""
    return [str(line["decision_id"]) for line in decisions(folder)]


def bare(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line without what makes it a link of a chain."""
    return {name: value for name, value in line.items() if name not in ("seq", "mac")}
