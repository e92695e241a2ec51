"""How evenly the workers of one service share its load at eight connections: they share out connections, not requests."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from habits.running import free_port

from cambist.testing import serve

from .load import Load
from .page import put
from .work import Work

RUNS, CONNECTIONS = 20, 8
MEDIAN = 0.65
"""What the busiest worker may have of all requests, in half of the runs."""


def shares(folder: Path, server: Any, *, runs: int = RUNS, seconds: float = 1.0, connections: int = CONNECTIONS) -> list[float]:
    """In each run, with connections of its own, the part of all decisions that the busiest of two workers made."""
    port = free_port()
    work = Work(f"http://localhost:{port}")
    settings = {**work.settings(folder), "listen": {"port": port}}
    with serve(settings, workers=2, server=server) as service:
        load = Load(service.url, "/v1/exchange/token", work.body())
        return [_share(folder, load, list(service.pids), connections, seconds) for _ in range(runs)]


def _share(folder: Path, load: Load, pids: Sequence[int], connections: int, seconds: float) -> float:
    before = _decisions(folder / "ledger")
    load.round(pids, folder, connections=connections, seconds=seconds)
    made = _decisions(folder / "ledger") - before
    return max(made.values()) / made.total()


def _decisions(ledger: Path) -> Counter[str]:
    """The lines of each chain of the ledger; each worker writes one of its own."""
    lines: Counter[str] = Counter()
    for segment in ledger.glob("*.jsonl"):
        lines[segment.name.rpartition("-")[0]] += segment.read_bytes().count(b"\n")
    return lines


def figures(server: str, found: Sequence[float]) -> dict[str, float]:
    return {f"share.{server}.median": statistics.median(found), f"share.{server}.most": max(found)}


def broken(told: Mapping[str, float]) -> list[str]:
    """The promises that were not kept."""
    uneven = [f"{name} is {figure:.2f}" for name, figure in told.items() if name.endswith(".median") and figure > MEDIAN]
    return uneven + [f"{name}: one worker had all of it" for name, figure in told.items() if name.endswith(".most") and figure >= 1]


def written(told: Mapping[str, float]) -> None:
    servers = sorted({name.split(".")[1] for name in told if name.startswith("share.")})
    lines = ["| server | busiest worker's share, median | largest |", "|---|--:|--:|"]
    lines += [f"| {server} | {told[f'share.{server}.median']:.2f} | {told[f'share.{server}.most']:.2f} |" for server in servers]
    put("share", "\n".join(lines))
