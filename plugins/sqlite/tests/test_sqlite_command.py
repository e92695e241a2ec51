"""`cambist store`: what it does to a file of a store that is closed, and what it says of it."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cambist import Mark, Unavailable
from cambist.testing import MovableClock
from cambist_sqlite.command import store
from cambist_sqlite.settings import SqliteSettings
from cambist_sqlite.store import SqliteStore

CLOCK = MovableClock()


def ran(path: Path, *arguments: str) -> tuple[str, str]:
    """What it said on its output, and beside it."""
    done = CliRunner().invoke(store(path), arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout, done.stderr


def unswept(_: str, work: Coroutine[Any, Any, None]) -> None:
    """Nothing of these tests lives long enough to be swept."""
    work.close()


async def spend(path: Path, key: str) -> bool:
    """Whether a mark could be set that was not set before."""
    async with SqliteStore(SqliteSettings(path=path), CLOCK, unswept) as opened:
        return await opened.claim([Mark(kind="credential", key=key, expires_at=CLOCK() + 600)]) is None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


async def test_a_file_of_the_newest_version_is_left_as_it_is(path: Path) -> None:
    await spend(path, "a")
    said, _ = ran(path, "migrate")
    assert "already" in said
    assert not await spend(path, "a")


async def test_a_backup_is_restored_and_what_was_used_since_stays_used(path: Path, tmp_path: Path) -> None:
    await spend(path, "before")
    backup = tmp_path / "copy.sqlite"
    said, _ = ran(path, "backup", str(backup))
    assert said.startswith(f"{backup} is a copy of {path}, with version ")
    assert await spend(path, "since")
    said, beside = ran(path, "restore", str(backup))
    assert said.startswith(f"{path} is as {backup} was, with version ")
    assert "What was used since stays used" in beside
    assert [await spend(path, key) for key in ("before", "since", "later")] == [False, False, True]


async def test_marks_that_cannot_be_carried_over_are_told_of(path: Path, tmp_path: Path) -> None:
    await spend(path, "a")
    backup = tmp_path / "copy.sqlite"
    ran(path, "backup", str(backup))
    path.write_bytes(b"no database at all")
    _, beside = ran(path, "restore", str(backup))
    assert "could not be carried over" in beside
    assert not await spend(path, "a")


def test_there_is_no_backup_of_what_is_not_there(path: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        ran(path, "backup", str(tmp_path / "copy.sqlite"))
