"""A program that serves on this machine while tests run: started, waited for, and ended whatever happens."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

START = 30.0
"""How long a program may take until it answers, in seconds."""
STOP = 5.0
"""How long it may take to end when it is asked to, in seconds; then it is killed."""


class DidNotAnswer(Exception):
    """A program ended before it answered, or did not answer in time; with the end of what it wrote."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Iterable[object], url: str, log: Path, env: Mapping[str, str] | None = None, *, patience: float = START, ca: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, from when `url` answers 200 until the block ends; `ca` vouches for it. Raises DidNotAnswer after `patience` seconds."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})}
        )
    try:
        _wait(process, url, log, patience, ssl.create_default_context(cafile=ca))
        yield process
    finally:
        _end(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, patience: float, trust: ssl.SSLContext) -> None:
    deadline = time.monotonic() + patience
    while not _answers(url, trust):
        if process.poll() is not None or time.monotonic() > deadline:
            end = log.read_text("utf-8", "replace")[-2000:]
            raise DidNotAnswer(f"{process.args!r} does not answer at {url} (exit code {process.poll()}); it wrote:\n{end}")
        time.sleep(0.05)


def _answers(url: str, trust: ssl.SSLContext) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False, verify=trust).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
