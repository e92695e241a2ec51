"""What ties a worker to its supervisor: it is told when to serve, says how it is, and ends when the supervisor is gone."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GO = b"g"
PR_SET_PDEATHSIG = 1
LONGER = 2.0
"""Seconds that a worker gets beyond the time for open requests, before it is killed."""


@dataclass(slots=True)
class Tether:
    """The worker's end. `go` is set when it may accept, `stopped` when it has to finish."""

    wire: socket.socket
    graceful: float
    go: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self) -> None:
        """From within the event loop: listen to the supervisor in a thread, which also runs when the loop does not."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stopped.set)
        threading.Thread(target=self._listen, args=(loop,), name="tether", daemon=True).start()

    def say(self, **members: Any) -> None:
        self.wire.sendall(json.dumps(members).encode() + b"\n")

    async def may_serve(self) -> bool:
        """Wait to be told; False when the worker was stopped first."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self.go, self.stopped)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        return self.go.is_set()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        while heard := self._heard():
            if GO in heard:
                _soon(loop, self.go)
        _soon(loop, self.stopped)
        time.sleep(self.graceful + LONGER)
        os.kill(os.getpid(), signal.SIGKILL)

    def _heard(self) -> bytes:
        """What the supervisor says; nothing once it is gone."""
        try:
            return self.wire.recv(64)
        except OSError:
            return b""


def _soon(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    try:
        loop.call_soon_threadsafe(event.set)
    except RuntimeError:  # the loop has ended already
        return


def tie(parent: int) -> None:
    """In a new child: be told by the kernel when the parent dies, and end at once if it has died already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)


def lines(raw: bytes) -> Sequence[Mapping[str, Any]]:
    """What a worker said."""
    return [json.loads(line) for line in raw.splitlines()]
