"""The kit: what tests of plugins, and of this service, stand on."""

from __future__ import annotations

from .clock import MovableClock
from .forge import Forge
from .policies import AllowAll, Scripted
from .service import Running, open_sts

__all__ = ["AllowAll", "Forge", "MovableClock", "Running", "Scripted", "open_sts"]
