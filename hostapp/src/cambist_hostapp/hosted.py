"""`python -m cambist_hostapp.hosted`, which `cambist.testing.serve` starts: the real supervisor, with a test's clock and plugins."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path

from cambist import DidNotStart, Settings
from cambist.plugins import Installed, Plugin
from cambist.settings import parse
from cambist.sts import load_plugin

from . import logs
from .board import Board
from .output import starting
from .warm import undisturbed


@dataclass(frozen=True)
class Named:
    """Plugins by reference, else those that are installed."""

    modules: Mapping[str, str]
    installed: Installed = field(default_factory=Installed)

    def find(self, name: str) -> Plugin:
        if name not in self.modules:
            return self.installed.find(name)
        try:
            found = EntryPoint(name, self.modules[name], "cambist").load()
        except (ImportError, AttributeError) as error:
            raise DidNotStart([f"plugins.{name}: {self.modules[name]} cannot be loaded: {error}"]) from error
        return load_plugin(name, found() if callable(found) else found)

    def look(self, names: Iterable[str]) -> None:
        self.installed.look(name for name in names if name not in self.modules)


def read(path: Path) -> Settings:
    """The settings as the test says them now."""
    return parse(json.loads(path.read_text("utf-8")), source="test")


def main(path: str, board: str, clock: str, modules: str) -> None:
    """Descriptors are numbers; a clock below 0 is the real one."""
    with undisturbed():  # as the command line loads `serve`
        from cambist.testing.serving import SharedClock

        from .opening import Given
        from .supervisor import Supervisor

    logs.configure()
    given = Given(clock=SharedClock.at(int(clock)) if int(clock) >= 0 else time.time, finder=Named(json.loads(modules)))
    with starting():
        Supervisor(lambda: read(Path(path)), given=given, board=Board.at(int(board))).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
