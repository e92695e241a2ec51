"""What an exchange costs and a service weighs where an operator has much of something: 1, 100 and 10,000 of each, one thing at a time.

Each size is a service in a process of its own. All sizes of one thing are measured in turn, so that a noisy moment falls on all.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from chaos.stage import toml
from habits.running import free_port, running

from cambist_hostapp.opening import settled

from .load import resident
from .many import KINDS, Many, key, many, trusted
from .page import put
from .pipeline import SLICES, asking, in_turn, measured, opened
from .plot import Bars
from .work import ROOT, Work

SIZES = (1, 100, 10_000)
PLOT = ROOT / "docs/explanation/growth.svg"
PATIENCE = 120.0
Figures = dict[str, float]


def growth(folder: Path, rounds: int, seconds: float, sizes: Sequence[int] = SIZES) -> Figures:
    """CPU in microseconds by kind and size, the bytes that one more of a kind takes, and seconds from start to first answer by issuers."""
    figures: Figures = {}
    for kind in KINDS:
        figures |= _grown(kind, folder, rounds, seconds, sizes)
    return figures | {f"growth.start.{size}": _started(folder / f"start-{size}", size) for size in (sizes[0], sizes[-1])}


def _grown(kind: str, folder: Path, rounds: int, seconds: float, sizes: Sequence[int]) -> Figures:
    found: dict[int, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        pipes = {size: stack.enter_context(_alive(kind, size, folder / f"{kind}-{size}")) for size in sizes}
        weights = {size: pipe.recv() for size, pipe in pipes.items()}
        for _ in range(rounds * SLICES):
            for size, pipe in pipes.items():
                pipe.send(seconds / SLICES)
                found[size].append(pipe.recv())
    figures = {f"growth.{kind}.{size}": statistics.median(costs) for size, costs in found.items()}
    return {**figures, f"growth.{kind}.bytes": (weights[sizes[-1]] - weights[sizes[0]]) / (sizes[-1] - sizes[0])}


@contextmanager
def _alive(kind: str, size: int, folder: Path) -> Iterator[Connection]:
    """A process with a service, until the block ends: it tells its weight, and then what an exchange costs, for so many seconds each."""
    context = get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_live, args=(its, kind, size, folder))
    process.start()
    its.close()  # else we would wait for ever for one that has died
    try:
        yield ours
        ours.send(None)
    finally:
        ours.close()
        process.join()


def _live(pipe: Connection, kind: str, size: int, folder: Path) -> None:
    much = many(kind, size, folder)
    if much.revoked:  # in another process, whose memory is not weighed with ours
        revoking = get_context("spawn").Process(target=_revoke, args=(much,))
        revoking.start()
        revoking.join()
    asyncio.run(_lived(pipe, much))


def _revoke(much: Many) -> None:
    asyncio.run(much.revoke())


async def _lived(pipe: Connection, much: Many) -> None:
    before = resident(os.getpid())
    sts, ask = await opened(much.settings, tried=True)
    once = in_turn(asking(partial(ask, authorization=proof), body, 200) for body, proof in much.asked)
    for _ in much.asked:
        await once()
    settled()  # as a worker does
    pipe.send(resident(os.getpid()) - before)
    while seconds := pipe.recv():
        pipe.send(await measured(once, seconds))
    await sts.__aexit__(None, None, None)


def _started(folder: Path, size: int) -> float:
    """Seconds from `cambist serve`, with a settings file of so many issuers and two workers, until it answers."""
    port = free_port()
    work = Work(f"http://localhost:{port}")
    settings = {**work.settings(folder), "listen": {"port": port}}
    settings["plugins"]["jwt"]["issuers"] = [trusted(number, key()) for number in range(size)]
    (folder / "cambist.toml").write_text(toml(settings))
    command = [sys.executable, "-m", "cambist_hostapp", "-c", folder / "cambist.toml", "serve", "--workers", "2"]
    began = time.monotonic()
    with running(command, f"http://127.0.0.1:{port}/.well-known/jwks.json", folder / "log", patience=PATIENCE):
        return time.monotonic() - began


# ── for the page ────────────────────────────────────────────────────────────────────────────────────────


def drawn(figures: Mapping[str, float], sizes: Sequence[int] = SIZES) -> str:
    """The plot: what an exchange costs, over what it costs with one."""
    groups = [(kind, [figures[f"growth.{kind}.{size}"] / figures[f"growth.{kind}.{sizes[0]}"] for size in sizes]) for kind in KINDS]
    return Bars(
        title="What an exchange costs where there are 1, 100 and 10,000 issuers, applications, resources or revocations",
        across="of what there is much",
        up="CPU of an exchange, over that with one",
        kinds=[f"{size:,}" for size in sizes],
        groups=groups,
    ).svg()


def told(figures: Mapping[str, float], sizes: Sequence[int] = SIZES) -> str:
    lines = ["| of what | bytes of memory for each |", "|---|--:|"]
    # What is less than nothing is less than what a process weighs from one time to the next.
    weights = {kind: figures[f"growth.{kind}.bytes"] for kind in KINDS}
    lines += [f"| {kind} | {f'{weight:,.0f}' if weight > 0 else 'too little to be seen'} |" for kind, weight in weights.items()]
    first, last = (figures[f"growth.start.{size}"] for size in (sizes[0], sizes[-1]))
    said = f"From `cambist serve` to the first answer: {last:.1f} s with {sizes[-1]:,} issuers, {first:.1f} s with {sizes[0]}."
    return "\n".join([*lines, "", said])


def written(figures: Mapping[str, float]) -> None:
    """The plot, and the words beside it."""
    PLOT.write_text(drawn(figures), "utf-8")
    put("growth", told(figures))
