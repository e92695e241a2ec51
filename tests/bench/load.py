"""Load from wrk, in a process of its own, and what it costs the processes that serve."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")

SCRIPT = """
local body = [==[%s]==]
wrk.method = "POST"
wrk.path = "%s"
wrk.headers["Content-Type"] = "%s"
wrk.body = body
local n = 0
local workers = 0
function setup(thread) workers = workers + 1; thread:set("worker", workers) end
if body:find("$NONCE", 1, true) then -- else each is the same, and costs the client nothing on the processors that serve
  function request()
    n = n + 1
    return wrk.format(nil, nil, nil, (body:gsub("%%$NONCE", (worker or 0) .. "-" .. n .. "-" .. %d)))
  end
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%.1f %%.1f %%d %%d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
"""
_RESULT = re.compile(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+) (\d+)")


@dataclass(frozen=True)
class Measured:
    """One round. `cpu` is in microseconds of all serving processes for each answer, times are in milliseconds."""

    cpu: float
    rate: float
    p50: float
    p99: float
    refused: int
    answers: int


@dataclass(frozen=True)
class Load:
    """One kind of request; `$NONCE` in its body is another text each time."""

    url: str
    path: str
    body: bytes
    media_type: str = "application/json"

    def round(self, pids: Sequence[int], folder: Path, *, connections: int, seconds: float) -> Measured:
        """Raises ChildProcessError when an answer did not come at all."""
        script = folder / "load.lua"
        script.write_text(SCRIPT % (self.body.decode(), self.path, self.media_type, os.getpid() + int.from_bytes(os.urandom(4))))
        before = [spent(pid) for pid in pids]
        threads = 1 if connections < 8 else 2
        command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), self.url]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
        cpu = sum(spent(pid) - was for pid, was in zip(pids, before, strict=True))
        found = _RESULT.search(told)
        if found is None or int(found[6]) or not int(found[1]):
            raise ChildProcessError(f"answers are missing: {told}")
        answers, microseconds = int(found[1]), int(found[2])
        return Measured(
            cpu=cpu / answers * 1e6,
            rate=answers / microseconds * 1e6,
            p50=float(found[3]) / 1000,
            p99=float(found[4]) / 1000,
            refused=int(found[5]),
            answers=answers,
        )


def spent(pid: int) -> float:
    """Seconds of CPU that a process has used, in it and in the kernel for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident(pid: int, kind: str = "Pss") -> int:
    """Bytes of memory that are a process's own share (PSS): what is shared counts by its part.

    That part grows when a stranger who has the same libraries ends; `Rss` is all that is there, and depends on nobody else.
    """
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{kind}:"))
