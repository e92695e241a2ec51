"""Where connections come in: a listening socket that workers share, as one of them accepts from it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from .turn import Turn

log = logging.getLogger(__name__)

AT_ONCE = 64
"""How many are accepted before those who are in are heard again."""
REST = 1.0
"""Seconds without accepting where the system has no more room: who waits goes on waiting, or another worker takes it."""


class Entrance:
    """Accepts one at a time, when it is this worker's turn. The server's own loop would take all that waits, whoever wakes first."""

    def __init__(self, sock: socket.socket, turn: Turn | None = None) -> None:
        self.turn = turn or Turn.alone()
        self._sock = sock
        self._timer: asyncio.TimerHandle | None = None
        self._told = False
        self._taken: Callable[[socket.socket], None]
        self._loop: asyncio.AbstractEventLoop

    def open(self, taken: Callable[[socket.socket], None]) -> None:
        """Accept from now on; `taken` is given each connection."""
        self._taken, self._loop = taken, asyncio.get_running_loop()
        self._come()

    def shut(self) -> None:
        """Accept nothing more, and let go of the port. Who waits is left to those who share it."""
        self.turn.leave()
        if self._timer is not None:
            self._timer.cancel()
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())  # first: the kernel would tell of a socket that others still have open
            self._sock.close()

    def _come(self) -> None:
        self.turn.come()
        self._watch()

    def _watch(self) -> None:
        self._loop.add_reader(self._sock.fileno(), self._look)

    def _look(self) -> None:
        """Somebody waits, or did a moment ago."""
        if pause := self.turn.look():
            self._leave_for(pause, self._held_back, pause)
            return
        for _ in range(AT_ONCE):
            if not (self._accept() and self.turn.ours):
                return

    def _held_back(self, pause: float) -> None:
        self._watch()
        if self.turn.over(pause):
            self._accept()

    def _accept(self) -> bool:
        """Take one; False when nobody waits, or there is no room."""
        try:
            taken, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:  # it left while it waited
            return True
        except OSError as error:
            self._rest(error)
            return False
        self._told = False
        self._taken(taken)
        return True

    def _rest(self, error: OSError) -> None:
        """A socket in which somebody waits is ready at once, again and again, while none can be accepted."""
        if not self._told:
            log.error("no connection can be accepted: %s; tried again every %g s", error.strerror or error, REST)
        self._told = True
        self.turn.leave()
        self._leave_for(REST, self._come)

    def _leave_for(self, seconds: float, then: Callable[..., None], *args: object) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._timer = self._loop.call_later(seconds, then, *args)
