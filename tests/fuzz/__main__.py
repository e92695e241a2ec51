"""`make fuzz N=100000`: changed requests over HTTP to two workers; every answer is judged, and their memory is weighed."""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.load import resident
from chaos.stage import Stage
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from cambist.testing import Forge, serve

from .judging import complaint
from .request import Request, Source, changed

GROWTH = 0.05
"""What the workers' memory may grow by, after the first tenth of the requests."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("number", type=int, nargs="?", default=100_000)
    parser.add_argument("--server", choices=["hypercorn", "uvicorn"], default="hypercorn")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cambist-fuzz-") as folder:
        stage = Stage(Path(folder), server=args.server)
        limits = {"listen": {"port": stage.port, "limits": {"failures": 0}}}  # wrong secrets are meant here, and many
        with serve({**stage.settings, **limits}, workers=2, server=args.server) as service:
            told = Fuzz(stage.forge, stage.port).run(args.number, lambda: sum(map(resident, service.pids)))
    sys.stdout.write(json.dumps(told) + "\n")
    sys.exit(1 if told["complaints"] or told["growth"] > GROWTH else 0)


class Fuzz:
    """One client with one connection, made anew whenever the service ends it."""

    def __init__(self, forge: Forge, port: int) -> None:
        self._source, self._port = Source.of(forge), port
        self._connection = self._fresh()
        self.statuses: Counter[int] = Counter()
        self.complaints: Counter[str] = Counter()
        self.slowest = 0.0

    def run(self, number: int, memory: Any) -> dict[str, Any]:
        self._some(max(1, number // 10))
        before = memory()
        self._some(number - number // 10)
        growth = memory() / before - 1
        return {
            "requests": sum(self.statuses.values()),
            "statuses": dict(sorted(self.statuses.items())),
            "complaints": dict(self.complaints),
            "slowest_s": round(self.slowest, 3),
            "growth": round(growth, 4),
        }

    def _some(self, number: int) -> None:
        @settings(max_examples=number, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        @given(st.data())
        def each(data: st.DataObject) -> None:
            self._one(data.draw(changed(self._source)))

        each()

    def _one(self, request: Request) -> None:
        began = time.perf_counter()
        try:
            status, headers, body = self._sent(request)
        except (http.client.HTTPException, OSError) as error:
            self._connection = self._fresh()
            self.complaints[f"no answer: {type(error).__name__}"] += 1
            return
        took = time.perf_counter() - began
        self.statuses[status] += 1
        self.slowest = max(self.slowest, took)
        if (wrong := complaint(request, status, headers, body, took)) is not None:
            self.complaints[wrong] += 1
            sys.stderr.write(f"{wrong}: {request}\n")

    def _sent(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        connection, content = self._connection, request.content
        connection.putrequest(request.method, request.path, skip_accept_encoding=True)
        for name, value in (*request.headers, ("content-length", str(len(content)))):
            connection.putheader(name, value)
        connection.endheaders(content)
        answer = connection.getresponse()
        body = answer.read()
        if answer.will_close:
            self._connection = self._fresh()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    def _fresh(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)


if __name__ == "__main__":
    main()
