"""What systemd is told of a service (sd_notify): that it serves, that it reads its settings anew, that it stops.

One datagram to the socket that `NOTIFY_SOCKET` names; without it nobody asked. Other supervisors understand the same protocol.
"""

from __future__ import annotations

import logging
import os
import socket
import time

log = logging.getLogger(__name__)


def ready(status: str) -> None:
    """It serves, for the first time or again."""
    _tell(f"READY=1\nSTATUS={status}")


def reloading() -> None:
    """It reads its settings anew; `ready` follows, however that ends."""
    _tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping() -> None:
    """It finishes what was accepted, and ends."""
    _tell("STOPPING=1")


def _tell(said: str) -> None:
    """A service that cannot tell how it is serves all the same."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            wire.sendto(said.encode(), f"\0{where[1:]}" if where.startswith("@") else where)
    except OSError as error:
        log.warning("systemd cannot be told: %s", error.strerror or error)
