"""`python -m chaos.costs`: what each promise about durability costs here, in microseconds, and the calls of the system that back it.

Writes docs/explanation/durability.md. The calls are counted by strace where it is installed: this program runs itself under it.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.pipeline import asking, opened
from bench.work import TARGET, Work

from cambist.revocation import Kind, Revocation

PAGE = Path(__file__).parents[2] / "docs/explanation/durability.md"
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2")
TIMES = 300
ACTION = {"htm": "GET", "htu": f"{TARGET}/x", "nonce": "$NONCE"}

CLASSES = {
    "ledger-off": ('decision record, `sync = "off"`', "a killed process"),
    "ledger-group": ('decision record, `"group"` (the default)', "a killed process; a power cut takes at most the last 100 ms"),
    "ledger-always": ('decision record, `"always"`', "a power cut"),
    "mark": ("single-use mark, with its record", "a killed process; a power cut takes at most the last second"),
    "revocation": ("revocation, and everything else that is `put`", "a power cut"),
    "rotation": ("a new signing key", "a power cut"),
}


async def costs(folder: Path, only: str | None, times: int) -> dict[str, float]:
    """The median of the time that each takes, in microseconds; of all, or of one, which is then all that this process does."""
    found: dict[str, float] = {}
    for name in ("without", *CLASSES):
        if only in (None, name):
            found[name] = await _cost(name, folder / name, times)
    return found


async def _cost(name: str, folder: Path, times: int) -> float:
    work = Work("https://sts.example.test")
    settings = work.settings(folder)
    sync = {"ledger-off": "off", "ledger-always": "always"}.get(name, "group")
    settings["plugins"]["audit-log"]["sync"] = sync
    if name == "without":
        del settings["plugins"]["audit-log"]
    sts, ask = await opened(settings)
    body = work.body(execution_scope=ACTION) if name == "mark" else work.body()
    ways: dict[str, Callable[[], Awaitable[Any]]] = {
        "revocation": lambda: sts.revocations.revoke(_revocation()),
        "rotation": lambda: sts.keys.rotate("default", compromised=True),
    }
    once = ways.get(name) or asking(ask, body, 200)
    await once()
    sys.stdout.write(f"begin {name}\n")
    sys.stdout.flush()
    taken = []
    for _ in range(times if name != "rotation" else max(1, times // 10)):
        began = time.perf_counter_ns()
        await once()
        taken.append((time.perf_counter_ns() - began) / 1000)
    sys.stdout.write(f"end {name}\n")
    sys.stdout.flush()
    await sts.__aexit__(None, None, None)
    return statistics.median(taken)


def _revocation() -> Revocation:
    return Revocation(zone="default", kind=Kind.TRANSACTION, parts=(str(time.monotonic_ns()),), at=time.time())


def calls(name: str, folder: Path, times: int) -> str:
    """The calls of the system between `begin` and `end`, for each time."""
    trace = folder / "trace"
    command = ["strace", "-f", "-qq", "-e", f"trace={','.join(CALLS)}", "-o", trace, sys.executable, "-m", "chaos.costs", name, str(times)]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, timeout=120)
    text = trace.read_text()
    between = text[text.index(f'"begin {name}') : text.index(f'"end {name}')].split("\n", 1)[1]
    counts = Counter(found for found in re.findall(r"^\d+\s+(\w+)\(", between, re.MULTILINE))
    done = times if name != "rotation" else max(1, times // 10)
    return ", ".join(f"{count / done:.2g} `{call}`" for call, count in sorted(counts.items()) if count / done >= 0.05)


def page(found: dict[str, float], called: dict[str, str]) -> str:
    base = found["without"]
    rows = []
    for name, (what, survives) in CLASSES.items():
        plain = name.startswith("ledger") or name == "mark"
        cost = f"{found[name] - base:.0f} more for each exchange" if plain else f"{found[name]:.0f} for each"
        rows.append(f"| {what} | {survives} | {called.get(name, '')} | {cost} |")
    return TEXT.format(rows="\n".join(rows), base=f"{base:.0f}")


TEXT = """\
# Durability

<!-- Written by `python -m chaos.costs` (in tests/), from a run. -->

What is acknowledged was written before; how far before is a matter of class. Times are medians in microseconds on the machine of the last
run, where one exchange without a ledger took {base}: compare them with each other, not with another machine's.

| what | survives | calls of the system, each time | microseconds |
|---|---|---|--:|
{rows}

- A decision record is with the operating system before the answer leaves: no killed process loses one. `group` syncs the file ten times a
  second beside the requests, `always` before each answer, `off` when the system likes.
- A mark is one transaction of SQLite in WAL mode, written and not synced; the log is folded into the file and synced once a second. What a
  power cut takes of it could be accepted once more, until it expires.
- Revocations, keys and whatever else is put are synced before they are acknowledged. A key file is written beside, synced, renamed over the
  old one, and its directory synced: there is no half-written one.
- How it holds when processes are killed is in [reliability](reliability.md). No test here cuts the power.
"""


def main() -> None:
    if len(sys.argv) == 3:
        with tempfile.TemporaryDirectory(prefix="cambist-costs-") as folder:
            asyncio.run(costs(Path(folder), sys.argv[1], int(sys.argv[2])))
        return
    if shutil.which("strace") is None:
        sys.exit("strace counts the calls, and is not on PATH: apt-get install strace")
    with tempfile.TemporaryDirectory(prefix="cambist-costs-") as folder:
        found = asyncio.run(costs(Path(folder), None, TIMES))
        PAGE.write_text(page(found, {name: calls(name, Path(folder), 100) for name in CLASSES}), "utf-8")


if __name__ == "__main__":
    main()
