"""OPA as a server on this machine, with rules and data that it is given."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from .running import free_port, running


@dataclass(frozen=True)
class OpaServer:
    """A running OPA."""

    url: str
    process: subprocess.Popen[bytes]

    def put(self, path: str, document: Any) -> None:
        """Replace a document of its data."""
        httpx.put(f"{self.url}/v1/data/{path}", json=document, trust_env=False).raise_for_status()


@contextmanager
def opa_server(opa: Path, log: Path, *words: object, port: int | None = None) -> Iterator[OpaServer]:
    """Run OPA with these options, rules and data until the block ends; by default on a port that is free."""
    address = f"127.0.0.1:{port or free_port()}"
    with running([*serving(opa, address), *words], f"http://{address}/health?bundles", log) as process:
        yield OpaServer(f"http://{address}", process)


def serving(opa: Path, address: str) -> list[object]:
    """The command that every server here starts with; it calls nobody."""
    return [opa, "run", "--server", "--skip-version-check", "--log-level", "error", "--addr", address]
