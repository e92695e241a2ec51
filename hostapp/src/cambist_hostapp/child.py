"""A process that the supervisor forked: a worker, or one that only checks the settings."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from cambist import DidNotStart

from .output import Exit
from .tether import GO, Tether, lines, tie

log = logging.getLogger(__name__)

OURS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
"""What the supervisor takes, and its children must not take in its place."""


@dataclass(slots=True, eq=False)
class Child:
    """The supervisor's view of it; `silent` once it has closed its end."""

    name: str
    pid: int
    wire: socket.socket
    graceful: float
    worker: int = 0
    heard: bytes = b""
    silent: bool = False
    open: bool = False
    began: float = field(default_factory=time.monotonic)
    problems: list[str] = field(default_factory=list)

    def hear(self) -> Sequence[Mapping[str, Any]]:
        """What it said since the last time, in whole lines."""
        try:
            while more := self.wire.recv(65_536):
                self.heard += more
            self.silent = True
        except OSError:  # nothing to read now
            self.silent = False
        whole, _, self.heard = self.heard.rpartition(b"\n")
        return lines(whole)

    def let_go(self) -> None:
        """Tell it to serve."""
        try:
            self.wire.send(GO)
        except OSError:  # it is gone; that is noticed where children are reaped
            log.debug("%s is gone", self.name)

    def signal(self, number: signal.Signals) -> None:
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            log.debug("%s is gone", self.name)

    def wait(self) -> None:
        os.waitpid(self.pid, 0)
        self.wire.close()

    def ended(self) -> int | None:
        """Its exit code, or less than 0 for the signal that ended it; None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


def fork(name: str, work: Callable[[Tether], None], graceful: float, leave: Callable[[], None]) -> Child:
    """A child that does `work` and ends. `leave` closes there what is the supervisor's alone. Raises DidNotStart."""
    ours, its = socket.socketpair()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, OURS)  # what arrives before the child has answers of its own must wait
    try:
        if (pid := os.fork()) == 0:
            _live(parent, ours, leave, work, Tether(its, graceful))
    except OSError as error:
        ours.close()
        raise DidNotStart([f"{name} cannot be started: {error.strerror}"]) from error
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
        its.close()
    ours.setblocking(False)
    return Child(name, pid, ours, graceful)


def _live(parent: int, ours: socket.socket, leave: Callable[[], None], work: Callable[[Tether], None], tether: Tether) -> NoReturn:
    """The whole life of a child, which never returns into the supervisor's code, whatever happens."""
    code = 1
    try:
        _become(parent)
        leave()
        ours.close()
        code = _done(work, tether)
    finally:
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)


def _become(parent: int) -> None:
    """Ctrl-C at a terminal reaches every process: the supervisor alone answers it."""
    signal.set_wakeup_fd(-1)
    for number in OURS:
        signal.signal(number, signal.SIG_IGN if number in (signal.SIGINT, signal.SIGHUP) else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
    tie(parent)


def _done(work: Callable[[Tether], None], tether: Tether) -> int:
    try:
        work(tether)
    except DidNotStart as error:
        tether.say(problems=error.problems)
        return Exit.CANNOT
    except BaseException as error:  # also SystemExit, which a plugin may raise
        log.exception("a process ends")
        tether.say(problems=[f"{type(error).__name__}: {error}"])
        return 1
    return 0


def how(code: int) -> str:
    """An end in words."""
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
