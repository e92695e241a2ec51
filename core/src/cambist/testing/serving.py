"""The real service over HTTP: worker processes under their supervisor, started for a test and ended with it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, Protocol

from .clock import NOON

GROUP = "cambist.hosting"
"""The entry-point group in which a distribution offers to host a service; cambist-hostapp does."""


class SharedClock:
    """A clock that all workers read and the test moves. It stands still, unless it was made by `running`."""

    def __init__(self, now: float = NOON, *, descriptor: int | None = None) -> None:
        self.descriptor = os.memfd_create("cambist-clock") if descriptor is None else descriptor
        os.ftruncate(self.descriptor, 16)
        self._numbers = memoryview(mmap.mmap(self.descriptor, 16)).cast("d")
        if descriptor is None:
            self.now = now

    @classmethod
    def running(cls, ahead: float = 0.0) -> SharedClock:
        """A clock that runs as the real one does, `ahead` of it."""
        made = cls()
        made._numbers[0], made._numbers[1] = ahead, 1.0
        return made

    @classmethod
    def at(cls, descriptor: int) -> SharedClock:
        """The same clock, in another process that was given its descriptor."""
        return cls(descriptor=descriptor)

    def __call__(self) -> float:
        import time

        return self._numbers[0] + (time.time() if self._numbers[1] else 0.0)

    @property
    def now(self) -> float:
        return self()

    @now.setter
    def now(self, moment: float) -> None:
        """Stand at a moment."""
        self._numbers[0], self._numbers[1] = moment, 0.0

    def move(self, seconds: float) -> None:
        self._numbers[0] += seconds


class Served(Protocol):
    """A service that answers at `url`."""

    @property
    def url(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def supervisor(self) -> int:
        """The process id of the supervisor."""

    @property
    def pids(self) -> Sequence[int]:
        """The process ids of the workers that serve now, in their order; 0 for one that is missing."""

    @property
    def log(self) -> str:
        """What the service has logged so far."""

    def ready(self, seconds: float = 10.0) -> float:
        """Wait until every worker is open; returns how long that took. Raises TimeoutError."""

    def kill(self, worker: int = 0) -> int:
        """kill -9 of one worker, counted from 0; returns its process id."""

    def reload(self, settings: Mapping[str, Any] | None = None, seconds: float = 10.0) -> bool:
        """SIGHUP, with other settings if they are given; waits, and says whether they were taken."""

    def stop(self, seconds: float = 20.0) -> int:
        """SIGTERM, and the exit code; the end of the block does the same."""


Hosting = Callable[..., AbstractContextManager[Served]]


@contextmanager
def serve(
    settings: Mapping[str, Any],
    *,
    clock: SharedClock | None = None,
    workers: int = 1,
    server: Literal["hypercorn", "uvicorn"] = "hypercorn",
    modules: Mapping[str, str] | None = None,
) -> Iterator[Served]:
    """Serve settings, as TOML would give them, over HTTP on this machine.

    Without `listen.port` it is a free one, without an issuer it is `http://localhost:PORT`. `modules` are plugins by name that are not
    installed, each as `package.module` or `package.module:attribute`, importable by whoever runs the test; what can be
    called is called. Several workers need a store and keys that processes share. Raises DidNotStart.
    """
    with _hosting()(settings, clock=clock, workers=workers, server=server, modules=dict(modules or {})) as served:
        yield served


def _hosting() -> Hosting:
    from importlib_metadata import entry_points

    offered = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    if not offered:
        raise ModuleNotFoundError("nothing installed can host a service: install cambist-hostapp")
    hosting: Hosting = offered[0].load()
    return hosting
