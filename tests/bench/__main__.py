"""`make bench`: a table for people, then one line of JSON. Rounds are interleaved, so that a noisy moment falls on all alike."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from habits.opa import opa_server
from habits.parts import tools
from habits.running import free_port

from cambist.audit import Observer
from cambist.testing import serve
from cambist_hostapp.opening import settled

from . import budget, growth, share, tables
from .floor import floor
from .load import Load, Measured, resident
from .oidc import is_here, oidc_provider
from .pipeline import SLICES, Ask, Once, asking, in_turn, measured, opened
from .work import ROOT, TARGET, Work

SERVERS = ("hypercorn", "uvicorn")
MANY, FEW = 64, 8
MORE = 1
"""Rounds over HTTP beside those that were asked for: a machine that shares its processors with others has moods that last."""
OVER = ".over_floor"
NEW = 5000
"""Tokens in turn, more than signatures are remembered: each is verified as if it were seen for the first time."""
Figures = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round over HTTP")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=[*PARTS], help="measure a part of it")
    parser.add_argument("--page", action="store_true", help="write the figures into docs/explanation/performance.md")
    args = parser.parse_args()
    parts = [args.only] if args.only else [*PARTS]
    if {"http", "share"} & set(parts) and shutil.which("wrk") is None:
        sys.exit("wrk makes the load, and is not on PATH: apt-get install wrk, or ARGS='--only process'")
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="cambist-bench-") as name:
        for part in parts:
            figures |= PARTS[part](Path(name), args.rounds, args.seconds)
    sys.stderr.write("".join(f"{promise}\n" for promise in share.broken(figures)))
    report(figures)
    if args.page:
        tables.written(figures, ratios(figures))


# ── without HTTP ────────────────────────────────────────────────────────────────────────────────────────


async def in_process(folder: Path, rounds: int, seconds: float) -> Figures:
    """Microseconds of CPU for each, by what is asked; and of the steps of the story, as a clock on the wall sees them."""
    work, stopwatch = Work("https://sts.example.test"), budget.Stopwatch()
    found: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        points: dict[str, Once] = {"floor.es256": floor(work, folder), **await _asked(work, folder, stack, stopwatch)}
        settled()  # as a worker does
        for _ in range(rounds * SLICES):
            for name, once in points.items():
                found[name].append(await measured(once, seconds / SLICES))
    steps = {f"step.{name}": took for name, took in stopwatch.medians().items()}
    over = {f"{name}{OVER}": _paired(values, found["floor.es256"]) for name, values in found.items() if name != "floor.es256"}
    return {name: statistics.median(values) for name, values in found.items()} | over | steps


def _paired(values: Sequence[float], others: Sequence[float]) -> float:
    """The median of what one is over the other in the same round: moods of the machine change both, but not at once."""
    return statistics.median(value / other for value, other in zip(values, others, strict=True))


async def _asked(work: Work, folder: Path, stack: AsyncExitStack, stopwatch: budget.Stopwatch) -> dict[str, Once]:
    """What is asked of services in this process, which live until the stack closes."""

    async def at(settings: dict[str, Any], *observers: Observer) -> Ask:
        sts, ask = await opened(settings, *observers)
        stack.push_async_exit(sts)
        return ask

    ask = await at(work.settings(folder / "es256"))
    points = {f"pipeline.{name}": asking(ask, body, status) for name, body, status in requests(work)}
    tokens = (work.token(jti=f"j{number}") for number in range(NEW))
    points["pipeline.es256_new"] = in_turn(asking(ask, work.body(subject_token=token), 200) for token in tokens)
    points["pipeline.watched"] = asking(await at(work.settings(folder / "watched"), stopwatch), work.body(), 200)
    points["pipeline.rs256_out"] = asking(await at(work.settings(folder / "rs256", alg="RS256")), work.body(), 200)
    for kind in ("oidc", "access-token"):
        points[f"pipeline.{kind}"] = asking(await at(work.settings(folder / kind, kind=kind)), work.of_kind(kind), 200)
    if (opa := tools() / "bin/opa").is_file():
        words = [*(ROOT / f"policies/cambist/{name}.rego" for name in ("exchange", "soundness")), folder / "es256/data.json"]
        url = stack.enter_context(opa_server(opa, folder / "opa.log", *words)).url
        points["pipeline.opa_rest"] = asking(await at(work.settings(folder / "rest", policy={"opa-rest": {"url": url}})), work.body(), 200)
    return points


def requests(work: Work) -> Iterator[tuple[str, bytes, int]]:
    """What is asked of one service, and the status of its answer."""
    action = {"htm": "POST", "htu": f"{TARGET}/x", "payload_hash": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", "nonce": "$NONCE"}
    yield "es256", work.body(), 200
    yield "rs256_in", work.body(subject_token=work.token("RS256")), 200
    yield "execution_scope", work.body(execution_scope=action), 200
    yield "refusal", work.body(subject_token=work.token(sub="nobody")), 403
    yield "malformed", work.body(subject_token="not a token"), 400


# ── over HTTP ───────────────────────────────────────────────────────────────────────────────────────────


def over_http(folder: Path, rounds: int, seconds: float) -> Figures:
    figures: Figures = {}
    with ExitStack() as stack:
        points: dict[str, Point] = {}
        for server in SERVERS:
            for workers in (1, 2):
                points |= _served(stack, folder, server, workers, figures)
        if is_here():
            load, pids = stack.enter_context(oidc_provider(Work("unused"), folder, 2))
            points["oidc_provider.2"] = Point(load, lambda: pids, 200)
        found, floors = _in_rounds(points, folder, rounds + MORE, seconds)
        figures |= {f"{name}.pss": max(resident(pid) for pid in point.pids()) for name, point in points.items()}
    for name, several in found.items():
        for figure in ("cpu", "rate", "p50", "p99"):
            figures[f"{name}.{figure}"] = statistics.median(getattr(one, figure) for one in several)
    figures |= {f"{name}{OVER}": _paired([one.cpu for one in found[f"{name}.c{MANY}"]], beside) for name, beside in floors.items()}
    if theirs := found.get(f"oidc_provider.2.c{MANY}"):
        ours = found[f"http.uvicorn.2.es256.c{MANY}"]
        figures["oidc_provider.2.rate_under"] = _paired([one.rate for one in ours], [one.rate for one in theirs])
    return figures


def _in_rounds(
    points: Mapping[str, Point], folder: Path, rounds: int, seconds: float
) -> tuple[Mapping[str, list[Measured]], Mapping[str, list[float]]]:
    """What is compared one after the other, and after each with many connections the floor."""
    compared = [name for name in points if name.endswith((".es256", "provider.2"))]
    others = [name for name in points if name not in compared]
    once, found, floors = floor(Work("unused"), folder), defaultdict[str, list[Measured]](list), defaultdict[str, list[float]](list)
    for _ in range(rounds):
        for connections, names in ((1, compared), (FEW, compared), (MANY, [*compared, *others])):
            for name in names:
                found[f"{name}.c{connections}"].append(points[name].round(folder, connections, seconds))
                if connections == MANY and name.startswith("http."):
                    floors[name].append(asyncio.run(measured(once, seconds / SLICES)))
    return found, floors


@dataclass(frozen=True)
class Point:
    """Something that is served, the processes that serve it, and the status of its answers."""

    load: Load
    pids: Callable[[], list[int]]
    status: int

    def round(self, folder: Path, connections: int, seconds: float) -> Measured:
        """Raises AssertionError when what should be granted is refused, or the other way round: that would be another measurement."""
        one = self.load.round(self.pids(), folder, connections=connections, seconds=seconds)
        if (one.refused > 0) != (self.status >= 400):
            raise AssertionError(f"{self.load.path}: {one.refused} of {one.answers} were refused")
        return one


def _served(stack: ExitStack, folder: Path, server: Any, workers: int, figures: Figures) -> dict[str, Point]:
    port, name = free_port(), f"http.{server}.{workers}"
    work = Work(f"http://localhost:{port}")
    settings = {**work.settings(folder / name), "listen": {"port": port}}
    began = time.monotonic()
    service = stack.enter_context(serve(settings, workers=workers, server=server))
    figures[f"{name}.start"] = time.monotonic() - began
    path = "/v1/exchange/token"
    asked = requests(work) if workers == 2 else [next(requests(work))]
    return {f"{name}.{kind}": Point(Load(service.url, path, body), lambda: list(service.pids), status) for kind, body, status in asked}


def shared(folder: Path, rounds: int, seconds: float) -> Figures:
    """How evenly two workers share their load, on both servers."""
    figures: Figures = {}
    for server in SERVERS:
        figures |= share.figures(server, share.shares(folder / f"share.{server}", server))
    return figures


PARTS: Mapping[str, Callable[[Path, int, float], Figures]] = {
    "process": lambda folder, rounds, seconds: asyncio.run(in_process(folder, rounds, seconds / 3)),
    "http": over_http,
    "growth": lambda folder, rounds, seconds: growth.growth(folder, rounds, seconds / 3),
    "share": shared,
}


# ── the report ──────────────────────────────────────────────────────────────────────────────────────────


def report(figures: Figures) -> None:
    for name, figure in sorted(figures.items()):
        sys.stdout.write(f"{name:44} {figure:12.1f}\n")
    sys.stdout.write(json.dumps({"ratios": ratios(figures), "figures": {n: round(f, 3) for n, f in figures.items()}}) + "\n")


def ratios(figures: Figures) -> Figures:
    """CPU over the floor; refusals over a permit; and our rate over oidc-provider's, with two processes each and 64 connections."""
    told = {name.removesuffix(OVER): figure for name, figure in figures.items() if name.endswith(OVER)}
    if permit := told.get("pipeline.es256"):
        told |= {kind: told[f"pipeline.{kind}"] / permit for kind in ("refusal", "malformed", "oidc", "access-token")}
    if (ours := figures.get("oidc_provider.2.rate_under")) is not None:
        told["oidc_provider.2"] = ours
    return {name: round(ratio, 3) for name, ratio in told.items()}


if __name__ == "__main__":
    main()
