"""The connection as the server behind a gate sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gate import Gate


class Outlet(asyncio.Transport):
    """A server may answer and close, but reads nothing by itself."""

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate
        self.get_extra_info: Callable[..., Any] = gate.transport.get_extra_info

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._gate.said(bytes(data))

    def close(self) -> None:
        self._gate.close()

    def abort(self) -> None:
        self._gate.transport.abort()

    def is_closing(self) -> bool:
        return self._gate.shut

    def pause_reading(self) -> None:
        """The gate decides when is read."""

    def resume_reading(self) -> None:
        """The gate decides when is read."""
