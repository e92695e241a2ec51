"""What systemd hears of `cambist serve`: when it serves, when it reads its settings anew, when it stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from habits.running import free_port
from habits.served import CAMBIST

from cambist_hostapp import notify


@contextmanager
def systemd(where: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0{where[1:]}" if where.startswith("@") else where)
        heard.settimeout(60)
        yield heard


def said(heard: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in heard.recv(4096).decode().splitlines())


@contextmanager
def serving(folder: Path, port: int, where: str) -> Iterator[subprocess.Popen[bytes]]:
    settings(folder, port)
    command = [*CAMBIST, "-c", str(folder / "cambist.toml"), "serve"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "NOTIFY_SOCKET": where})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def settings(folder: Path, port: int, more: str = "") -> None:
    text = f'issuer = "http://localhost:{port}"\n[listen]\nport = {port}\n{more}\n[plugins.opa-wasm]\n'
    (folder / "cambist.toml").write_text(text, "utf-8")


def test_systemd_hears_of_a_whole_life(tmp_path: Path) -> None:
    port, where = free_port(), str(tmp_path / "notify")
    with systemd(where) as heard, serving(tmp_path, port, where) as process:
        assert said(heard) == {"READY": "1", "STATUS": "generation 1, workers: 1"}
        assert httpx.get(f"http://localhost:{port}/ready", trust_env=False, timeout=10).status_code == 200

        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        process.send_signal(signal.SIGHUP)
        reloading = said(heard)
        assert reloading.keys() == {"RELOADING", "MONOTONIC_USEC"}
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert said(heard) == {"READY": "1", "STATUS": "generation 2, workers: 1"}

        settings(tmp_path, port, "unknown = 1")
        process.send_signal(signal.SIGHUP)
        assert said(heard)["RELOADING"] == "1"
        assert said(heard) == {"READY": "1", "STATUS": "generation 2 serves on: the new settings are wrong"}

        process.send_signal(signal.SIGTERM)
        assert said(heard) == {"STOPPING": "1"}
        assert process.wait(30) == 0


def test_a_socket_without_a_place_in_the_file_system_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    where = f"@cambist-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("NOTIFY_SOCKET", where)
    with systemd(where) as heard:
        notify.stopping()
        assert said(heard) == {"STOPPING": "1"}


def test_a_service_that_cannot_tell_how_it_is_serves_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify.ready("well")
    assert "systemd cannot be told" in caplog.text
    monkeypatch.delenv("NOTIFY_SOCKET")
    caplog.clear()
    notify.ready("well")
    assert caplog.text == ""
