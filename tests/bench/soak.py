"""`make soak`: a steady load, with a rotation, other rules and an outage in its midst; ends with 1 where a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from cambist.testing.serving import Served

from .load import resident
from .pace import Answer, paced
from .page import put
from .scene import Scene

DRIFT = 0.05
"""By how much the memory of a worker may have grown at the end."""
WORKERS = 2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how hard. What is measured of memory begins when `warm` seconds have passed."""

    seconds: float = 300.0
    rate: float = 200.0
    warm: float = 60.0
    server: str = "hypercorn"

    @property
    def moments(self) -> tuple[float, float, float, float]:
        """When the key is rotated, the rules are swapped, and the issuer leaves and returns, in seconds from the start."""
        return tuple(self.warm + self.seconds * part for part in (0.2, 0.35, 0.5, 0.75))  # type: ignore[return-value]  # four of them

    @property
    def window(self) -> float:
        """How many seconds of memory are looked at, at each end."""
        return self.seconds / 10


@dataclass(frozen=True)
class Soaked:
    """What came of it. `memory` has for each process its bytes by seconds from the start; `log` is what the service logged."""

    plan: Plan
    answers: Sequence[Answer]
    memory: dict[int, dict[float, int]] = field(default_factory=dict)
    pids: tuple[Sequence[int], Sequence[int]] = ((), ())
    log: str = ""

    @property
    def errors(self) -> Counter[str]:
        return Counter(one.said for one in self.answers if one.said)

    @property
    def drifts(self) -> list[float]:
        """For each worker by which part its memory is larger at the end than after the warm-up."""
        return [self._between(self._end - self.plan.window, self._end, pid) / self._first(pid) - 1 for pid in self.memory]

    @property
    def _end(self) -> float:
        return self.plan.warm + self.plan.seconds

    def _first(self, pid: int) -> float:
        return self._between(self.plan.warm, self.plan.warm + self.plan.window, pid)

    def _between(self, first: float, last: float, pid: int) -> float:
        found = [size for moment, size in self.memory[pid].items() if first <= moment <= last]
        return statistics.median(found) if found else math.nan

    def _course(self, pid: int) -> list[float]:
        """The memory of a worker in steps of the window: whether it climbs, or jumped once."""
        moments = range(int(self._end / self.plan.window))
        return [round(self._between(step * self.plan.window, (step + 1) * self.plan.window, pid) / 1e6, 1) for step in moments]

    def _first_time(self, said: str) -> float:
        return min(one.at for one in self.answers if one.said == said)

    def broken(self) -> list[str]:
        """The promises that were not kept, and the troubles that did not happen: without them the rest would be worth nothing."""
        found = [f"{count} times: {said}, first after {self._first_time(said):.0f} s" for said, count in self.errors.items()]
        found += [f"a worker grew by {drift:.1%}" for drift in self.drifts if drift >= DRIFT]
        if self.pids[0] != self.pids[1]:
            found.append("a worker was started again")
        if len({one.kid for one in self.answers if one.kid}) < 2:
            found.append("no other key signed")
        if len({one.lives for one in self.answers if one.lives}) < 2:
            found.append("no other rules decided")
        if min(self.log.count("cannot be fetched"), self.log.count("can be fetched again")) < WORKERS:
            found.append("not every worker noticed that the issuer left and returned")
        return found

    def complaints(self) -> list[str]:
        """The last lines of the log that are more than news."""
        return [line for line in self.log.splitlines() if '"level":"info"' not in line][-40:]

    def figures(self) -> dict[str, Any]:
        took, late = _percentiles([one.took for one in self.answers]), _percentiles([one.late for one in self.answers])
        return {
            "exchanges": len(self.answers),
            "errors": sum(self.errors.values()),
            "p50_ms": took[50],
            "p99_ms": took[99],
            "client_late_p99_ms": late[99],
            "drift": [round(drift, 4) for drift in self.drifts],
            "megabytes": [self._course(pid) for pid in self.memory],
            "broken": self.broken(),
        }


def _percentiles(seconds: Sequence[float]) -> dict[int, float]:
    """In milliseconds."""
    cut = statistics.quantiles(seconds, n=100, method="inclusive")
    return {percent: round(cut[percent - 1] * 1000, 2) for percent in (50, 99)}


def run(plan: Plan, folder: Path) -> Soaked:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(soaked(plan, folder))


async def soaked(plan: Plan, folder: Path) -> Soaked:
    scene = Scene(folder)
    count = 0

    def body() -> bytes:
        nonlocal count
        count += 1
        return scene.work.body(subject_token=scene.work.token(jti=f"j{count}"))

    with scene.served(plan.server, WORKERS) as service:
        before, began = list(service.pids), time.monotonic()
        watching = asyncio.create_task(_watched(service, began))
        happening = asyncio.create_task(_troubled(scene, plan, began))
        answers = await paced(service.port, "/v1/exchange/token", body, rate=plan.rate, seconds=plan.warm + plan.seconds)
        await happening
        watching.cancel()
        memory = await asyncio.gather(watching)
        return Soaked(plan, answers, memory[0], (before, list(service.pids)), service.log)


async def _watched(service: Served, began: float) -> dict[int, dict[float, int]]:
    """The memory of each worker, until it is cancelled."""
    memory: dict[int, dict[float, int]] = defaultdict(dict)
    try:
        while True:
            for pid in filter(None, service.pids):
                memory[pid][time.monotonic() - began] = resident(pid, "Rss")
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        return memory


async def _troubled(scene: Scene, plan: Plan, began: float) -> None:
    """In threads, for each of them waits; the client must not."""
    troubles: tuple[Callable[[], None], ...] = (scene.rotate, scene.swap, scene.issuer_leaves, scene.issuer_returns)
    for moment, trouble in zip(plan.moments, troubles, strict=True):
        await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {trouble.__name__.replace('_', ' ')}\n")
        await asyncio.to_thread(trouble)


def told(done: Soaked) -> str:
    """For the page."""
    figures, plan = done.figures(), done.plan
    drift = " and ".join(f"{part:+.1%}" for part in figures["drift"])
    took, late = f"{figures['p50_ms']:.1f} ms, 99 of 100 within {figures['p99_ms']:.1f} ms", f"{figures['client_late_p99_ms']:.1f} ms"
    return (
        f"The last run: {figures['exchanges']:,} exchanges in {plan.warm + plan.seconds:.0f} s on {plan.server} with {WORKERS} workers, "
        f"{figures['errors']} errors. Half of the answers came within {took}; the client itself sent 99 of 100 at most {late} too late. "
        f"Memory of the workers at the end, over that after the warm-up: {drift}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="after the warm-up")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="exchanges a second")
    parser.add_argument("--warm", type=float, default=Plan.warm, help="seconds of load before memory is measured")
    parser.add_argument("--server", choices=["hypercorn", "uvicorn"], default=Plan.server)
    parser.add_argument("--page", action="store_true", help="write the figures into docs/explanation/performance.md")
    args = parser.parse_args()
    plan = Plan(seconds=args.seconds, rate=args.rate, warm=args.warm, server=args.server)
    with tempfile.TemporaryDirectory(prefix="cambist-soak-") as folder:
        done = run(plan, Path(folder))
    if args.page:
        put("soak", told(done))
    if done.broken():
        sys.stderr.write("".join(f"{line}\n" for line in done.complaints()))
    sys.stdout.write(told(done) + "\n" + json.dumps(done.figures()) + "\n")
    sys.exit(1 if done.broken() else 0)


if __name__ == "__main__":
    main()
