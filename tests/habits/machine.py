"""A machine as the pages for operators suppose it, in one folder: their paths lead there, and `systemctl` starts the service for real."""

from __future__ import annotations

import grp
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .pages import Shell
from .running import free_port
from .workspace import ROOT

PLACES = ("/etc/cambist", "/etc/systemd/system", "/var/lib/cambist", "/var/log/cambist", "/opt/cambist", "/backup")
SYSTEMCTL = r"""
settings=@/etc/cambist/cambist.toml pid=$(cat @/pid 2> /dev/null)
runs() { grep -q '^State:[[:space:]]*[^Z]' "/proc/$pid/status" 2> /dev/null; }
case "$1" in
    start | enable)
        @/opt/cambist/bin/cambist -c "$settings" serve >> @/log 2>&1 &
        pid=$!
        echo "$pid" > @/pid
        until curl --silent --fail --output /dev/null http://127.0.0.1:%d/ready; do runs || { cat @/log; exit 1; }; sleep 0.1; done ;;
    stop) kill -TERM "$pid"; while runs; do sleep 0.05; done ;;
    reload) kill -HUP "$pid" ;;
    status) runs ;;
    daemon-reload) ;;
    *) exit 2 ;;
esac
"""
ABSENT = {
    "useradd": "",  # it would make a user of this machine
    "runuser": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
}
"""Programs that would change this machine, and what stands in for them."""


@dataclass(frozen=True)
class Machine:
    """Everything of it is in `folder`; it ends with each script that ran."""

    folder: Path
    curl: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        for place in PLACES:
            Path(f"{self.folder}{place}").mkdir(parents=True)
        service = f'exec "{sys.executable}" -m cambist_hostapp "$@"'
        self._program("opt/cambist/bin/cambist", service)
        self._program("opt/cambist/bin/pip", "")  # what it would install is installed
        for name, script in {**ABSENT, "cambist": service, "systemctl": SYSTEMCTL % self.port}.items():
            self._program(f"programs/{name}", script)
        (self.folder / "programs" / "curl").symlink_to(self.curl)
        (self.folder / "deploy").symlink_to(ROOT / "deploy")

    def here(self, text: str) -> str:
        """The same, with the places and the group of this machine."""
        text = re.sub(rf"(?<![\w/])({'|'.join(PLACES)})\b", rf"{self.folder}\1", text)
        return text.replace("-g cambist", f"-g {grp.getgrgid(os.getgid()).gr_name}")

    def settle(self, settings: str) -> None:
        """Lay down the settings of a page; the service has an address of its own."""
        listening = settings if "[listen]" in settings else f"{settings}\n[listen]\n"
        text = self.here(listening).replace("[listen]", f"[listen]\nport = {self.port}")
        (self.folder / "etc" / "cambist" / "cambist.toml").write_text(text, "utf-8")

    def ran(self, script: str) -> str:
        """What the commands of a page wrote; the first that fails, fails the test."""
        text = script.replace("python3 -m venv /opt/cambist\n", "")  # it is there
        return Shell(self.folder, self.folder / "programs").ran(self.here(text), timeout=280)

    def _program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script.replace('@/', f'{self.folder}/')}\n", "utf-8")
        path.chmod(0o755)
