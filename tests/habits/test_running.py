"""Programs that serve while tests run: none may be waited for without end, and none may stay."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from habits import running
from habits.running import DidNotAnswer, free_port

STUBBORN = """
import signal, sys
from http.server import HTTPServer, SimpleHTTPRequestHandler
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
HTTPServer(("127.0.0.1", int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.mark.parametrize("manner", ["obedient", "stubborn"])
def test_a_program_answers_within_the_block_and_is_gone_after_it(manner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STOP", 0.3)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with running.running([sys.executable, "-c", STUBBORN, str(port), manner], url, tmp_path / "log") as process:
        assert httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    assert process.returncode is not None
    with pytest.raises(httpx.TransportError):
        httpx.get(url, trust_env=False)


def test_a_program_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('the port is taken'); raise SystemExit(3)"]
    with (
        pytest.raises(DidNotAnswer, match=r"exit code 3(?s:.*)the port is taken"),
        running.running(command, f"http://127.0.0.1:{free_port()}/", tmp_path / "log"),
    ):
        pytest.fail("it never answered")


def test_a_program_that_never_answers_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "START", 0.3)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(DidNotAnswer, match="exit code None"),
        running.running(command, f"http://127.0.0.1:{free_port()}/", tmp_path / "log"),
    ):
        pytest.fail("it never answered")
