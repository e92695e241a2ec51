"""Signals for a loop that waits in a selector: what was asked, and a wait that ends when something is."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def woken(selector: selectors.BaseSelector, numbers: Iterable[signal.Signals]) -> Iterator[list[int]]:
    """The signals that arrived, in their order; whoever answers one takes it out."""
    asked: list[int] = []
    waked, waking = socket.socketpair()
    waked.setblocking(False)
    waking.setblocking(False)
    selector.register(waked, selectors.EVENT_READ)
    before = {number: signal.signal(number, lambda number, _: asked.append(number)) for number in numbers}
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    try:
        yield asked
    finally:
        signal.set_wakeup_fd(-1)
        for number, answer in before.items():
            signal.signal(number, answer)
        selector.unregister(waked)
        waked.close()
        waking.close()


def drained(waked: socket.socket) -> None:
    """Take what ended a wait out of the wire."""
    try:
        waked.recv(4096)
    except BlockingIOError:
        return
