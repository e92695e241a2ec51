"""Where the supervisor's children come from: workers, and those that only check settings."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cambist import Settings
from cambist.web.tally import Tallies

from .board import WORKERS, Board
from .child import Child, fork
from .generation import Generation
from .listeners import addresses
from .opening import Given, check, run
from .sockets import Address, Sockets
from .tether import Tether
from .warm import left, loaded


@dataclass(slots=True)
class Nursery:
    """What children are given, and those who are alive. `found` is what was found out for those who are forked now."""

    given: Given
    board: Board
    found: Given = field(default_factory=Given)
    sockets: Sockets = field(default_factory=Sockets)
    tallies: Tallies = field(default_factory=lambda: Tallies(WORKERS * 2))
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    alive: list[Child] = field(default_factory=list)

    def check(self, settings: Settings) -> Child:
        """Opens the service and closes it again, and says what that took. Raises DidNotStart."""
        known, self.found = loaded(), self.given.found(settings)

        def work(tether: Tether) -> None:
            run(lambda: check(settings, self.found, lambda: tether.say(**left(known))))
            tether.say(**left(known))

        return self._fork("the check", work, settings.service.listen.graceful, ())

    def worker(self, generation: Generation, number: int) -> Child:
        """Raises DidNotStart."""
        from .worker import Post, serve  # loaded while the check opens the service

        post = Post(
            settings=generation.settings,
            generation=generation.number,
            worker=number,
            sockets=self.sockets.of(addresses(generation.settings.service.listen)),
            board=self.board,
            tallies=self.tallies,
            given=self.found,
        )

        def work(tether: Tether) -> None:
            run(lambda: serve(post, tether))

        child = self._fork(f"worker {number + 1}", work, post.listen.graceful, post.sockets)
        child.worker = number
        return child

    def bury(self, child: Child) -> None:
        """It has ended."""
        self.alive.remove(child)
        if not child.silent:
            self.selector.unregister(child.wire)
        child.wire.close()

    def _fork(self, name: str, work: Callable[[Tether], None], graceful: float, keep: Iterable[Address]) -> Child:
        def leave() -> None:
            """In the child: close what is the supervisor's, so that nothing of it lives on when the supervisor does not."""
            for key in list(self.selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
            self.selector.close()
            self.sockets.drop(keep)

        child = fork(name, work, graceful, leave)
        self.selector.register(child.wire, selectors.EVENT_READ, child)
        self.alive.append(child)
        return child
