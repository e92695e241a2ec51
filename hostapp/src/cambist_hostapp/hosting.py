"""A service for a test, in processes of its own: what `cambist.testing.serve` finds through its entry point."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cambist import DidNotStart
from cambist.testing.serving import SharedClock

from .board import Board, State

START = 30.0
"""Seconds until a service has to be open."""
PAUSE = 0.005


@dataclass(slots=True)
class Hosted:
    """A supervisor and its workers, seen from the test."""

    port: int
    folder: Path
    board: Board
    listen: Mapping[str, Any]
    plugins: Mapping[str, Any]
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self, board: int, clock: SharedClock | None, modules: Mapping[str, str]) -> None:
        said = [str(self.folder / "settings.json"), str(board), str(clock.descriptor if clock else -1), json.dumps(modules)]
        shared = [board] if clock is None else [board, clock.descriptor]
        where = os.pathsep.join(path for path in sys.path if path)  # what the test can import, so can the service
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cambist_hostapp.hosted", *said],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=shared,
                env={**os.environ, "PYTHONPATH": where},
            )

    def end(self) -> None:
        """However it is: a supervisor that was stopped, and one that cannot be."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def supervisor(self) -> int:
        return self.process.pid

    @property
    def pids(self) -> Sequence[int]:
        return self.board.pids(self.board.generation)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def ready(self, seconds: float = 10.0) -> float:
        began = time.monotonic()
        self._until(self._open, seconds)
        return time.monotonic() - began

    def kill(self, worker: int = 0) -> int:
        pid = self.pids[worker]
        os.kill(pid, signal.SIGKILL)
        # The supervisor notices within a moment; until then the board shows the dead one as open.
        self._until(lambda: self.pids[worker] != pid, 5.0)
        return pid

    def reload(self, settings: Mapping[str, Any] | None = None, seconds: float = 10.0) -> bool:
        if settings is not None:
            self.write(settings)
        before, refused = self.board.generation, self.log.count("not taken")
        self.process.send_signal(signal.SIGHUP)
        self._until(lambda: self.board.generation > before or self.log.count("not taken") > refused, seconds)
        return self.board.generation > before

    def stop(self, seconds: float = 20.0) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(seconds)

    def write(self, settings: Mapping[str, Any]) -> None:
        ours = {"listen": {**self.listen, **settings.get("listen", {})}, "plugins": {**self.plugins, **settings.get("plugins", {})}}
        document = {"issuer": f"http://localhost:{self.port}", **settings, **ours}
        path = self.folder / "settings.json"
        path.with_suffix(".new").write_text(json.dumps(document, default=str), "utf-8")
        path.with_suffix(".new").replace(path)

    def _open(self) -> bool:
        generation = self.board.generation
        return generation > 0 and all(state is State.OPEN for state in self.board.states(generation))

    def _until(self, done: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None:
                said = [line.strip() for line in self.log.splitlines() if line != "cambist did not start:"]
                raise DidNotStart([*said, f"the supervisor ended with code {self.process.returncode}"])
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s; the service logged:\n{self.log[-4000:]}")
            time.sleep(PAUSE)


@contextmanager
def host(
    settings: Mapping[str, Any], *, clock: SharedClock | None, workers: int, server: str, modules: Mapping[str, str]
) -> Iterator[Hosted]:
    """Serve until the block ends. Raises DidNotStart with what the service said."""
    listen = {"workers": workers, "server": server, **settings.get("listen", {})}
    plugins = {**{name: {} for name in modules}, **settings.get("plugins", {})}
    with tempfile.TemporaryDirectory(prefix="cambist-served-") as folder, _shared("cambist-board") as board:
        port = listen.get("port") or _free_port()
        hosted = Hosted(port, Path(folder), Board.at(board), {**listen, "port": port}, plugins)
        hosted.write(settings)
        hosted.start(board, clock, modules)
        try:
            hosted.ready(START)
            yield hosted
        finally:
            hosted.end()


@contextmanager
def _shared(name: str) -> Iterator[int]:
    """A file in memory that a process which is started can be given."""
    descriptor = os.memfd_create(name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
