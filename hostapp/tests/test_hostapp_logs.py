"""What the log shows of an error: where it was, and nothing of what was in its hands."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from cambist_hostapp import logs

SECRET = "eyJhbGciOiJFUzI1NiJ9.credential"


class Written(io.StringIO):
    """Standard error, at a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture(params=[True, False], ids=["terminal", "file"])
def written(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(sys, "stderr", stream := Written(request.param))
    logs.configure()
    yield stream
    root.handlers = handlers
    root.setLevel(level)


def test_a_traceback_shows_no_locals(written: Written) -> None:
    """`rich`, which a developer may have installed, would show those of each frame."""

    def failing(credential: str) -> None:
        raise LookupError("broken")

    try:
        failing(SECRET)
    except LookupError:
        logging.getLogger("cambist.tests").exception("it failed")
    told = written.getvalue()
    assert "it failed" in told
    assert "LookupError: broken" in told
    assert "in failing" in told
    assert SECRET not in told
