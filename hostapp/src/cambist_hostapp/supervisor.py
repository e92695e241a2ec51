"""The supervisor of a service's workers: starts them, replaces those that die, and swaps all of them for new settings.

It opens nothing itself and has one thread, so that it can fork at any moment: a worker begins with its modules loaded, and
with the same settings as the others, whatever became of the file.
"""

from __future__ import annotations

import gc
import logging
import signal
import socket
import time
from collections.abc import Callable

from cambist import DidNotStart, Settings

from . import notify
from .board import Board
from .child import OURS, Child, how
from .generation import Generation
from .listeners import addresses, listeners
from .nursery import Nursery
from .opening import Given
from .tether import LONGER
from .warm import serving, taken, undisturbed
from .woken import drained, woken

log = logging.getLogger(__name__)

OPENING = 60.0
"""Seconds that a service may take to open."""


class Supervisor:
    """`read` gives the settings, at the start and each time that SIGHUP asks for it."""

    def __init__(self, read: Callable[[], Settings], *, given: Given | None = None, board: Board | None = None) -> None:
        self._read, self._board = read, board or Board.made()
        self._nursery = Nursery(given or Given(), self._board)
        self._checking: tuple[Child, Settings] | None = None
        self._serving: Generation | None = None
        self._coming: Generation | None = None
        self._leaving: dict[Child, float] = {}
        self._asked: list[int] = []
        self._stopping = self._again = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, and what was accepted is finished. Raises DidNotStart when the first workers cannot open."""
        with self._nursery.selector, undisturbed(), woken(self._nursery.selector, OURS) as self._asked:
            try:
                self._prepare(self._read())
                while not self._stopping or self._nursery.alive:
                    self._turn()
            finally:
                for child in self._nursery.alive:
                    child.signal(signal.SIGKILL)
                    child.wait()
                self._nursery.sockets.close()
        log.info("stopped")

    # ── one turn ────────────────────────────────────────────────────────────────────────────────────────

    def _turn(self) -> None:
        for key, _ in self._nursery.selector.select(self._patience()):
            if isinstance(key.data, Child):
                self._hear(key.data)
            elif isinstance(key.fileobj, socket.socket):
                drained(key.fileobj)
        for child in list(self._nursery.alive):
            if (code := child.ended()) is not None:
                self._reap(child, code)
        while self._asked:
            self._answer(self._asked.pop(0))
        if self._again and not (self._checking or self._coming or self._leaving or self._stopping):
            self._again = False
            self._reload()
        self._start_and_kill()

    def _patience(self) -> float | None:
        """Seconds until something is due."""
        moments = [*self._leaving.values(), *(child.began + OPENING for child in self._opening())]
        for generation in self._generations():
            moments += generation.due.values()
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _start_and_kill(self) -> None:
        for generation in self._generations():
            for number in generation.overdue():
                self._start(generation, number)
        for child in self._slow():
            log.error("%s (process %d) does not open; killed", child.name, child.pid)
            child.signal(signal.SIGKILL)
        for child, moment in list(self._leaving.items()):
            if moment <= time.monotonic():
                log.error("%s does not finish; killed", child.name)
                child.signal(signal.SIGKILL)
                self._leaving[child] = moment + LONGER

    def _slow(self) -> list[Child]:
        return [child for child in self._opening() if child.began + OPENING <= time.monotonic()]

    def _opening(self) -> list[Child]:
        return [child for child in self._nursery.alive if not child.open and child not in self._leaving]

    def _generations(self) -> list[Generation]:
        return [] if self._stopping else [one for one in (self._serving, self._coming) if one is not None]

    # ── signals ─────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._again = True
        elif number in (signal.SIGTERM, signal.SIGINT):
            if self._stopping and number == signal.SIGINT:  # asked again, at a terminal
                self._leaving = dict.fromkeys(self._leaving, 0.0)
            elif not self._stopping:
                self._stop()

    def _stop(self) -> None:
        log.info("stopping: what was accepted is finished")
        notify.stopping()
        self._stopping = True
        self._dismiss(*(child for child in self._nursery.alive if child not in self._leaving))
        self._checking = self._coming = self._serving = None

    def _reload(self) -> None:
        log.info("reading the settings anew")
        notify.reloading()
        try:
            self._prepare(self._read())
        except DidNotStart as error:
            self._refuse(error.problems)

    # ── settings come and go ────────────────────────────────────────────────────────────────────────────

    def _prepare(self, settings: Settings) -> None:
        """Bind, and have them checked in a child; workers follow when it is content. Raises DidNotStart."""
        listen = settings.service.listen
        self._nursery.sockets.hold(addresses(listen))
        self._checking = (self._nursery.check(settings), settings)
        serving(listen.server)

    def _begin(self, settings: Settings) -> None:
        """New workers for settings that were found to be good; they are started in this turn."""
        self._coming = Generation(self._serving.number + 1 if self._serving else 1, settings, self._board)
        if self._serving is not None:
            gc.collect()  # a first start leaves nothing to collect, and is waited for
        gc.freeze()  # what is there now is shared with the workers for as long as nobody touches it

    def _refuse(self, problems: list[str]) -> None:
        """Settings that are wrong: with them nothing starts, and what serves already goes on."""
        if self._serving is None:
            raise DidNotStart(problems)
        for problem in problems:
            log.error("the new settings are not taken: %s", problem)
        if self._coming is not None:
            self._dismiss(*self._coming.children.values())
        self._checking = self._coming = None
        self._nursery.sockets.drop(addresses(self._serving.settings.service.listen))
        notify.ready(f"generation {self._serving.number} serves on: the new settings are wrong")

    def _swap(self, coming: Generation) -> None:
        """Every new worker is open: they serve, and the old ones finish."""
        listen = coming.settings.service.listen
        try:
            self._nursery.sockets.listen(addresses(listen))  # who connects from now on waits until a worker accepts
        except DidNotStart as error:
            self._refuse(error.problems)
            return
        before, self._serving, self._coming = self._serving, coming, None
        self._board.serve(coming.number)
        gc.enable()  # nobody waits any more
        for child in coming.children.values():
            child.let_go()
        if before is not None:
            self._dismiss(*before.children.values())
        self._nursery.sockets.drop(addresses(listen))
        notify.ready(f"generation {coming.number}, workers: {coming.size}")
        for listener in listeners(listen):
            log.info(
                "listening on %s, workers: %d", listener.url(listen, self._nursery.sockets.port(listener.address(listen))), coming.size
            )

    # ── workers ─────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, generation: Generation, number: int) -> None:
        try:
            child = self._nursery.worker(generation, number)
        except DidNotStart as error:
            log.error("%s", "; ".join(error.problems))
            generation.stuck(number)
        else:
            generation.began(child)

    def _hear(self, child: Child) -> None:
        for said in child.hear():
            child.problems += said.get("problems", ())
            taken(said)
            if said.get("open"):
                self._opened(child)
        if child.silent:
            self._nursery.selector.unregister(child.wire)

    def _opened(self, child: Child) -> None:
        for generation in self._generations():
            if generation.children.get(child.worker) is child:
                generation.opened(child)
                log.info("%s is open (process %d, generation %d)", child.name, child.pid, generation.number)
        if self._serving is not None and child in self._serving.children.values():
            child.let_go()
        elif self._coming is not None and self._coming.open:
            self._swap(self._coming)

    def _dismiss(self, *children: Child) -> None:
        for child in children:
            child.signal(signal.SIGTERM)
            self._leaving[child] = time.monotonic() + child.graceful + LONGER

    def _reap(self, child: Child, code: int) -> None:
        if not child.silent:
            self._hear(child)
        self._nursery.bury(child)
        if child in self._leaving:
            del self._leaving[child]
        elif self._checking is not None and self._checking[0] is child:
            settings, self._checking = self._checking[1], None
            if code == 0:
                self._begin(settings)
            else:
                self._refuse(child.problems or [f"{child.name} {how(code)}"])
        else:
            self._lost(child, code)

    def _lost(self, child: Child, code: int) -> None:
        for generation in self._generations():
            if generation.children.get(child.worker) is child:
                delay = generation.lost(child)
                told = "; ".join([how(code), *child.problems])
                log.error("%s (process %d) %s; started again in %.1f s", child.name, child.pid, told, delay)
                if generation is self._coming and generation.hopeless:
                    self._refuse(child.problems or [f"{child.name} {how(code)}"])
