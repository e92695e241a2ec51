"""A service to soak, whose issuer can go away, whose rules can be swapped and whose keys rotate, all as an operator does it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.stage import toml
from habits.running import free_port, running

from cambist.testing import SharedClock, serve
from cambist.testing.serving import Served

from .work import ISSUER, ROOT, TARGET, Work

BEFORE, AFTER = 290, 280
"""Lifetimes that the two bundles give, by which an answer tells which of them decided."""
STALE = 61.0
"""Seconds by which the clock is moved when the issuer leaves and returns: its keys are too old at once, and every worker asks for them."""


@dataclass
class Scene:
    """Everything on this machine: the files of one service, and the issuer whose keys it fetches."""

    folder: Path
    clock: SharedClock = field(default_factory=SharedClock.running)
    port: int = field(default_factory=free_port)
    published: int = field(default_factory=free_port)
    issuer: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.work = Work(f"http://localhost:{self.port}")
        (self.folder / "issuer").mkdir()
        (self.folder / "issuer/jwks.json").write_text(json.dumps(self.work.jwks))
        self.settings = self._settings()
        (self.folder / "cambist.toml").write_text(toml(self.settings))
        self._bundle(BEFORE)

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self.published}/jwks.json"

    def _settings(self) -> dict[str, Any]:
        policy = {"opa-wasm": {"bundle": str(self.folder / "bundle.tar.gz"), "reload": 0.5}}
        settings = self.work.settings(self.folder, policy=policy)
        settings["plugins"]["jwt"]["issuers"] = [{"issuer": ISSUER, "jwks_url": self.jwks_url}]
        settings["plugins"]["keys-file"]["skew"] = 2
        return {**settings, "jwks_max_age": 1, "listen": {"port": self.port}, "egress": {"keys_max_age": STALE - 1}}

    @contextmanager
    def served(self, server: Any, workers: int) -> Iterator[Served]:
        with self.issuer:
            self.issuer_returns()
            with serve(self.settings, clock=self.clock, workers=workers, server=server) as service:
                yield service

    # ── what happens meanwhile ──────────────────────────────────────────────────────────────────────────

    def rotate(self) -> None:
        """Raises CalledProcessError."""
        command = [sys.executable, "-m", "cambist_hostapp", "-c", f"{self.folder}/cambist.toml", "keys", "rotate", "--zone", "default"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def swap(self) -> None:
        self._bundle(AFTER)

    def issuer_leaves(self) -> None:
        self.issuer.close()
        self.clock.move(STALE)

    def issuer_returns(self) -> None:
        command = [sys.executable, "-m", "http.server", self.published, "--bind", "127.0.0.1", "--directory", self.folder / "issuer"]
        self.issuer.enter_context(running(command, self.jwks_url, self.folder / "issuer.log"))
        self.clock.move(STALE)

    def _bundle(self, ttl: int) -> None:
        """The default rules with data that give such a lifetime, moved into place in one step."""
        data = {"cambist": {"zones": {"default": {"grants": {ISSUER: {"web": {TARGET: {"scopes": ["read"], "ttl": ttl}}}}}}}}
        with tarfile.open(ROOT / "policies/bundle.tar.gz") as shipped:
            members = {info.name: file.read() for info in shipped if (file := shipped.extractfile(info)) is not None}
        made = self.folder / "bundle.new"
        with tarfile.open(made, "w:gz") as bundle:
            for name, content in {**members, "/data.json": json.dumps(data).encode()}.items():
                info = tarfile.TarInfo(name)
                info.size, info.mtime = len(content), int(time.time())
                bundle.addfile(info, io.BytesIO(content))
        made.replace(self.folder / "bundle.tar.gz")
