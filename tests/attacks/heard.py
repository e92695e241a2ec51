"""A plugin for the service under attack: writes down each connection that its processes make, and each name that they look up."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cambist import Observer, Record, Shape, hookimpl
from cambist.hooks import Host


class HeardSettings(Shape):
    """Where it is written."""

    record: Path


class Silent:
    """An observer that has nothing to do with decisions: it is how a plugin is kept by a service."""

    required = False

    async def observe(self, record: Record) -> None:
        return None


@hookimpl
def cambist_observers(host: Host) -> Iterator[Observer]:
    listen_in(host.settings(HeardSettings).record)
    yield Silent()


def listen_in(file: Path) -> None:
    """From now on, as long as this process lives."""
    record = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def heard(event: str, given: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(given[1], tuple):
            _write(record, given[1][0], given[1][1])
        elif event == "socket.getaddrinfo":
            _write(record, given[0], given[1])

    sys.addaudithook(heard)
    _tell_of_uvloop(record)


def _tell_of_uvloop(record: int) -> None:
    """What it connects by itself, no audit event tells."""
    try:
        import uvloop
    except ImportError:
        return
    connect = uvloop.Loop.create_connection

    async def create_connection(loop: Any, factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        _write(record, host, port)
        return await connect(loop, factory, host, port, **more)

    setattr(uvloop.Loop, "create_connection", create_connection)  # noqa: B010 - a method is replaced, which types do not allow


def _write(record: int, host: object, port: object) -> None:
    name = host.decode("latin-1") if isinstance(host, bytes) else str(host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        port = "looked up"
    os.write(record, f"{name} {port}\n".encode("utf-8", "replace"))
