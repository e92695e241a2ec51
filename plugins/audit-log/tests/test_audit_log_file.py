"""The file: whole lines or none, nothing issued without one, and back at work by itself when the trouble is over."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart
from cambist.testing import ISSUER, Forge, MovableClock, Running, open_sts
from cambist_audit_log.log_file import LogFile

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"
IDP = "https://idp.example.test"


@pytest.fixture
def forge() -> Forge:
    return Forge(IDP, ISSUER, MovableClock())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@asynccontextmanager
async def service(path: Path, forge: Forge, **more: Any) -> AsyncIterator[Running]:
    jwt = {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]}
    settings = {"authenticates": [JWT_TYPE], "plugins": {"audit-log": {"path": str(path), **more}, "jwt": jwt}}
    async with open_sts(settings, clock=forge.clock) as running:
        yield running


async def ask(sts: Running, forge: Forge) -> tuple[int, str]:
    """Status, and the decision's id where a token was issued, else the reason."""
    answer = await sts.form(subject_token=forge.jwt(), audience=TARGET)
    return answer.status_code, str(answer.headers["cambist-decision-id"] if answer.status_code == 200 else answer.json()["reason"])


REFUSED = (503, "temporarily_unavailable")


def whole(path: Path) -> list[str]:
    """The ids of the decisions whose lines are whole; other lines are what was cut off."""
    ids = []
    for line in path.read_bytes().split(b"\n"):
        try:
            ids.append(json.loads(line)["decision_id"])
        except ValueError:
            continue
    return ids


# ── whose file ──────────────────────────────────────────────────────────────────────────────────────────


async def test_the_file_is_made_for_us_alone_whatever_the_umask(path: Path, forge: Forge) -> None:
    before = os.umask(0)
    try:
        async with service(path, forge) as sts:
            await ask(sts, forge)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o660, 0o666])
async def test_a_file_that_others_can_open_is_refused(path: Path, forge: Forge, mode: int) -> None:
    path.touch()
    path.chmod(mode)
    with pytest.raises(DidNotStart) as caught:
        async with service(path, forge):
            pass
    assert f"it is open to others (mode {mode:04o}): chmod 600 {path}" in str(caught.value)


async def test_a_group_may_read_the_file(path: Path, forge: Forge) -> None:
    path.touch(mode=0o600)
    path.chmod(0o640)
    async with service(path, forge) as sts:
        assert (await ask(sts, forge))[0] == 200
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_a_folder_that_is_not_there_keeps_the_service_shut(path: Path, forge: Forge) -> None:
    with pytest.raises(DidNotStart) as caught:
        async with service(path.parent / "none" / "decisions.jsonl", forge):
            pass
    assert "plugins.audit-log: plugin audit-log cannot open" in str(caught.value)
    assert "No such file or directory" in str(caught.value)


async def test_what_was_written_before_stays(path: Path, forge: Forge) -> None:
    ids = []
    for _ in range(2):
        async with service(path, forge) as sts:
            ids.append((await ask(sts, forge))[1])
    assert whole(path) == ids


# ── nothing is issued that cannot be written ────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialect", ["form", "json"])
async def test_on_a_full_disk_nothing_is_issued(forge: Forge, dialect: str) -> None:
    async with service(Path("/dev/full"), forge) as sts:
        answer = await getattr(sts, dialect)(subject_token=forge.jwt(), audience=TARGET)
        assert (answer.status_code, answer.json()["reason"]) == REFUSED
        assert "access_token" not in answer.text
        assert "decision_id" in answer.json()


async def test_readiness_says_that_the_disk_is_full_and_why_is_logged_once(
    path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with service(path, forge) as sts:

        async def audit_log() -> str:
            return str((await sts.http.get("/ready")).json()["checks"]["audit-log"])

        assert await audit_log() == "ok"
        full = Full(monkeypatch)
        assert [await ask(sts, forge) for _ in range(3)] == [REFUSED] * 3
        assert await audit_log() == "No space left on device"
        full.over()
        assert await audit_log() == "ok", "it does not take a request to find out"
        assert (await ask(sts, forge))[0] == 200
    assert caplog.text.count("the audit log cannot be written, so nothing is issued: No space left on device") == 1


class Full:
    """From now on a disk takes so many more bytes, then none, until it is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int = 0) -> None:
        self._monkeypatch, self._room, self._write = monkeypatch, room, os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: Any) -> int:
        fits = bytes(data[: self._room])
        if not fits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._room -= len(fits)
        return self._write(descriptor, fits)

    def over(self) -> None:
        self._monkeypatch.setattr(os, "write", self._write)


@pytest.mark.parametrize("room", [0, 1, 100, 400])
async def test_a_line_that_was_cut_off_is_not_joined_to_the_next(
    path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    async with service(path, forge) as sts:
        first = await ask(sts, forge)
        full = Full(monkeypatch, room)
        assert await ask(sts, forge) == REFUSED
        assert await ask(sts, forge) == REFUSED
        full.over()
        second = await ask(sts, forge)
        third = await ask(sts, forge)
    assert whole(path) == [first[1], second[1], third[1]]
    assert path.read_bytes().count(b"\n") == (4 if room else 3)


async def test_a_line_that_the_kernel_cuts_off_is_not_joined_to_the_next(path: Path, forge: Forge) -> None:
    """As above, with a limit of the operating system's own."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with service(path, forge) as sts:
        first = await ask(sts, forge)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 300, limits[1]))
        try:
            refused = await ask(sts, forge)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        second = await ask(sts, forge)
    assert refused == REFUSED
    assert whole(path) == [first[1], second[1]]


async def test_a_line_that_a_killed_process_left_unfinished_is_not_joined_to_the_next(path: Path, forge: Forge) -> None:
    path.write_bytes(b'{"v":1,"decision_id":"whole"}\n{"v":1,"decision_id":"cut o')
    path.chmod(0o600)
    async with service(path, forge) as sts:
        asked = await ask(sts, forge)
    assert whole(path) == ["whole", asked[1]]


async def test_opening_a_log_writes_nothing(path: Path, forge: Forge) -> None:
    """A command that looks something up opens the service too, beside the one that serves."""
    path.write_bytes(b'{"v":1,"decision_id":"being writ')
    path.chmod(0o600)
    async with service(path, forge) as sts:
        await sts.http.get("/ready")
    assert path.read_bytes() == b'{"v":1,"decision_id":"being writ'


# ── a file that is moved, gone or unwritable ────────────────────────────────────────────────────────────


async def test_a_log_that_was_rotated_away_is_begun_anew(path: Path, forge: Forge) -> None:
    async with service(path, forge) as sts:
        first = await ask(sts, forge)
        path.rename(path.with_suffix(".1"))
        second = await ask(sts, forge)
    assert (whole(path.with_suffix(".1")), whole(path)) == ([first[1]], [second[1]])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_without_its_folder_nothing_is_issued_until_it_is_back(tmp_path: Path, forge: Forge) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    path = folder / "decisions.jsonl"
    async with service(path, forge) as sts:
        first = await ask(sts, forge)
        folder.rename(tmp_path / "aside")
        assert await ask(sts, forge) == REFUSED
        checks = (await sts.http.get("/ready")).json()["checks"]
        assert checks["audit-log"] == "No such file or directory"
        (tmp_path / "aside").rename(folder)
        second = await ask(sts, forge)
    assert whole(path) == [first[1], second[1]]


async def test_a_file_that_took_the_place_of_the_log_and_is_open_to_others_is_not_written(path: Path, forge: Forge) -> None:
    async with service(path, forge) as sts:
        path.unlink()
        path.touch()
        path.chmod(0o666)
        assert await ask(sts, forge) == REFUSED
        assert path.read_bytes() == b""
        path.chmod(0o600)
        assert (await ask(sts, forge))[0] == 200


@pytest.mark.parametrize("trouble", [errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES])
async def test_whatever_is_wrong_with_the_disk_nothing_is_issued_and_then_it_is_opened_again(
    path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    opened: list[Path] = []
    real = LogFile.__init__

    def noted(self: LogFile, path: Path, **more: Any) -> None:
        opened.append(path)
        real(self, path, **more)

    async with service(path, forge) as sts:
        monkeypatch.setattr(LogFile, "__init__", noted)
        write: Callable[[int, Any], int] = os.write

        def failing(descriptor: int, data: Any) -> int:
            raise OSError(trouble, os.strerror(trouble))

        monkeypatch.setattr(os, "write", failing)
        assert await ask(sts, forge) == REFUSED
        monkeypatch.setattr(os, "write", write)
        asked = await ask(sts, forge)
    assert whole(path) == [asked[1]]
    assert opened == [path]


async def test_a_refusal_too_is_only_told_with_its_line(path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(path, forge) as sts:
        Full(monkeypatch)
        answer = await sts.form(subject_token=forge.jwt(exp=1), audience=TARGET)
        assert (answer.status_code, answer.json()["reason"]) == REFUSED


# ── several processes ───────────────────────────────────────────────────────────────────────────────────

APPENDING = """
import sys
from pathlib import Path
from cambist_audit_log.log_file import LogFile
file = LogFile(Path(sys.argv[1]))
for n in range(300):
    file.append(b"%d " % n + sys.argv[2].encode() * (n * 10))
"""


def test_lines_of_several_processes_are_whole(path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", APPENDING, str(path), letter]) for letter in "abc"]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    lines = path.read_text().split("\n")
    assert lines.pop() == ""
    assert sorted(lines) == sorted(f"{n} {letter * (n * 10)}" for n in range(300) for letter in "abc")


def test_a_line_that_another_process_left_unfinished_is_not_joined_to_the_next(path: Path) -> None:
    file = LogFile(path)
    file.append(b"one")
    with path.open("ab") as other:
        other.write(b"cut o")
    file.append(b"two")
    file.append(b"three")
    file.finish()
    assert path.read_bytes() == b"one\ncut o\ntwo\nthree\n"
