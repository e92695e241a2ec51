"""The file: whole lines or none, nothing issued without one, and back at work by itself when the trouble is over."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart, Secret
from cambist.testing import ISSUER, Forge, MovableClock, Running, open_sts
from cambist_audit_log import segment
from cambist_audit_log.sealing import Keyring
from cambist_audit_log.segment import is_being_written
from cambist_audit_log.testing import KEK, ids, lines, raw, segments, table
from cambist_audit_log.verifying import Ledger

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
TARGET = "https://orders.example.test"
IDP = "https://idp.example.test"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forge(clock: MovableClock) -> Forge:
    return Forge(IDP, ISSUER, clock)


@asynccontextmanager
async def service(folder: Path, forge: Forge, **more: Any) -> AsyncIterator[Running]:
    jwt = {"issuers": [{"issuer": IDP, "jwks": forge.jwks}]}
    settings = {"authenticates": [JWT_TYPE], "plugins": {"audit-log": table(folder, **more), "jwt": jwt}}
    async with open_sts(settings, clock=forge.clock) as running:
        yield running


async def ask(sts: Running, forge: Forge) -> tuple[int, str]:
    """Status, and the decision's id where a token was issued, else the reason."""
    answer = await sts.form(subject_token=forge.jwt(), audience=TARGET)
    return answer.status_code, str(answer.headers["cambist-decision-id"] if answer.status_code == 200 else answer.json()["reason"])


REFUSED = (503, "temporarily_unavailable")


def damage(folder: Path) -> list[str]:
    """What a verification finds, without the store."""
    found = Ledger(folder / "audit", Keyring(Secret(KEK)), "here", {}).verified()
    return [f"{finding.kind} {finding.place}: {finding.text}" for finding in found.damage]


# ── whose directory ─────────────────────────────────────────────────────────────────────────────────────


async def test_directory_and_segments_are_made_for_us_alone_whatever_the_umask(tmp_path: Path, forge: Forge) -> None:
    before = os.umask(0)
    try:
        async with service(tmp_path, forge) as sts:
            await ask(sts, forge)
    finally:
        os.umask(before)
    [path] = segments(tmp_path)
    assert (stat.S_IMODE(path.parent.stat().st_mode), stat.S_IMODE(path.stat().st_mode)) == (0o700, 0o600)


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o720, 0o770, 0o777])
async def test_a_directory_that_others_can_use_is_refused(tmp_path: Path, forge: Forge, mode: int) -> None:
    folder = tmp_path / "audit"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(DidNotStart) as caught:
        async with service(tmp_path, forge):
            pass
    assert f"is open to others (mode {mode:04o}): chmod 700 {folder}" in str(caught.value)


async def test_a_group_that_may_read_the_directory_may_read_segments(tmp_path: Path, forge: Forge) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit").chmod(0o750)
    before = os.umask(0o077)
    try:
        async with service(tmp_path, forge) as sts:
            assert (await ask(sts, forge))[0] == 200
    finally:
        os.umask(before)
    assert stat.S_IMODE(segments(tmp_path)[0].stat().st_mode) == 0o640


async def test_a_parent_that_is_not_there_keeps_the_service_shut(tmp_path: Path, forge: Forge) -> None:
    with pytest.raises(DidNotStart) as caught:
        async with service(tmp_path / "none", forge):
            pass
    assert "plugins.audit-log: plugin audit-log cannot open" in str(caught.value)
    assert "No such file or directory" in str(caught.value)


async def test_a_file_in_the_place_of_the_directory_keeps_the_service_shut(tmp_path: Path, forge: Forge) -> None:
    (tmp_path / "audit").touch(0o600)
    with pytest.raises(DidNotStart, match="File exists"):
        async with service(tmp_path, forge):
            pass


async def test_what_was_written_before_stays_in_a_chain_of_its_own(tmp_path: Path, forge: Forge) -> None:
    answered = []
    for _ in range(2):
        async with service(tmp_path, forge) as sts:
            answered.append((await ask(sts, forge))[1])
    assert sorted(ids(tmp_path)) == sorted(answered)
    assert len(segments(tmp_path)) == 2
    assert damage(tmp_path) == []


# ── nothing is issued that cannot be written ────────────────────────────────────────────────────────────


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


@pytest.mark.parametrize("dialect", ["form", "json"])
async def test_on_a_full_disk_nothing_is_issued(tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, dialect: str) -> None:
    Full(monkeypatch)
    async with service(tmp_path, forge) as sts:
        answer = await getattr(sts, dialect)(subject_token=forge.jwt(), audience=TARGET)
        assert (answer.status_code, answer.json()["reason"]) == REFUSED
        assert "access_token" not in answer.text
        assert "decision_id" in answer.json()


async def test_readiness_says_that_the_disk_is_full_and_why_is_logged_once(
    tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with service(tmp_path, forge) as sts:

        async def audit_log() -> str:
            return str((await sts.http.get("/ready")).json()["checks"]["audit-log"])

        assert await audit_log() == "ok"
        assert segments(tmp_path) == [], "who only asks whether it works writes nothing"
        full = Full(monkeypatch)
        assert [await ask(sts, forge) for _ in range(3)] == [REFUSED] * 3
        assert await audit_log() == "No space left on device"
        full.over()
        assert await audit_log() == "ok", "it does not take a request to find out"
        assert (await ask(sts, forge))[0] == 200
    assert caplog.text.count("the audit log cannot be written, so nothing is issued: No space left on device") == 1
    assert [line["trouble"] for line in lines(tmp_path) if line.get("event") == "recovered"] == ["No space left on device"]
    assert damage(tmp_path) == []


@pytest.mark.parametrize("room", [0, 1, 100, 400])
async def test_of_a_line_that_did_not_fit_nothing_stays(tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    async with service(tmp_path, forge) as sts:
        first = await ask(sts, forge)
        before = raw(tmp_path)
        full = Full(monkeypatch, room)
        assert [await ask(sts, forge) for _ in range(2)] == [REFUSED] * 2
        assert raw(tmp_path) == before
        full.over()
        answered = [first[1], (await ask(sts, forge))[1], (await ask(sts, forge))[1]]
    assert ids(tmp_path) == answered
    assert len(segments(tmp_path)) == 1
    assert damage(tmp_path) == []


@pytest.mark.parametrize("room", [0, 1, 100, 250, 400])
async def test_a_first_line_and_a_header_that_did_not_fit_are_written_when_there_is_space(
    tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    async with service(tmp_path, forge) as sts:
        full = Full(monkeypatch, room)
        assert [await ask(sts, forge) for _ in range(3)] == [REFUSED] * 3
        assert raw(tmp_path) == b""
        full.over()
        answered = (await ask(sts, forge))[1]
    assert ids(tmp_path) == [answered]
    assert len(segments(tmp_path)) == 1
    assert damage(tmp_path) == []


@pytest.mark.parametrize("room", [0, 1, 300, 600])
async def test_a_disk_that_is_full_when_a_segment_is_loses_nothing(
    tmp_path: Path, forge: Forge, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    async with service(tmp_path, forge, segment_age=60) as sts:
        answered = [(await ask(sts, forge))[1]]
        clock.move(61)
        full = Full(monkeypatch, room)
        assert [await ask(sts, forge) for _ in range(3)] == [REFUSED] * 3
        full.over()
        answered += [(await ask(sts, forge))[1] for _ in range(2)]
    assert ids(tmp_path) == answered
    assert len(segments(tmp_path)) == 2
    assert damage(tmp_path) == []


async def test_a_line_that_is_taken_in_parts_is_whole(tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:100])))
    async with service(tmp_path, forge) as sts:
        answered = [(await ask(sts, forge))[1] for _ in range(2)]
    assert ids(tmp_path) == answered
    assert len(segments(tmp_path)) == 1
    assert damage(tmp_path) == []


async def test_a_line_that_the_kernel_cuts_off_is_taken_back(tmp_path: Path, forge: Forge) -> None:
    """As above, with a limit of the operating system's own."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with service(tmp_path, forge) as sts:
        first = await ask(sts, forge)
        resource.setrlimit(resource.RLIMIT_FSIZE, (segments(tmp_path)[0].stat().st_size + 300, limits[1]))
        try:
            refused = await ask(sts, forge)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        second = await ask(sts, forge)
    assert refused == REFUSED
    assert ids(tmp_path) == [first[1], second[1]]
    assert damage(tmp_path) == []


async def test_where_a_line_cannot_be_taken_back_the_chain_goes_on_in_another_segment(
    tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path, forge) as sts:
        answered = [(await ask(sts, forge))[1]]
        with monkeypatch.context() as broken:

            def stuck(descriptor: int, size: int) -> None:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            broken.setattr(os, "ftruncate", stuck)
            full = Full(broken, 200)
            assert await ask(sts, forge) == REFUSED
            full.over()
        answered += [(await ask(sts, forge))[1] for _ in range(2)]
    assert [path.read_bytes().endswith(b"\n") for path in segments(tmp_path)] == [False, True]
    assert ids(tmp_path) == answered
    assert damage(tmp_path) == []


async def test_opening_a_ledger_writes_nothing(tmp_path: Path, forge: Forge) -> None:
    """A command that looks something up opens the service too, beside the one that serves."""
    async with service(tmp_path, forge, keep_age=1) as sts:
        await sts.http.get("/ready")
    assert list((tmp_path / "audit").iterdir()) == []


@pytest.mark.parametrize("trouble", [errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES])
async def test_whatever_is_wrong_with_the_disk_nothing_is_issued_until_it_is_over(
    tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    async with service(tmp_path, forge) as sts:
        with monkeypatch.context() as broken:

            def failing(descriptor: int, data: Any) -> int:
                raise OSError(trouble, os.strerror(trouble))

            broken.setattr(os, "write", failing)
            assert await ask(sts, forge) == REFUSED
        asked = await ask(sts, forge)
    assert ids(tmp_path) == [asked[1]]
    assert damage(tmp_path) == []


async def test_a_refusal_too_is_only_told_with_its_line(tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(tmp_path, forge) as sts:
        Full(monkeypatch)
        answer = await sts.form(subject_token=forge.jwt(exp=1), audience=TARGET)
        assert (answer.status_code, answer.json()["reason"]) == REFUSED


# ── segments that end, are moved, or are gone ───────────────────────────────────────────────────────────


async def test_a_segment_that_is_full_is_followed_by_one_that_names_it(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge, segment_bytes=4096) as sts:
        answered = [(await ask(sts, forge))[1] for _ in range(12)]
    assert ids(tmp_path) == answered
    paths = segments(tmp_path)
    assert len(paths) > 3
    assert all(path.stat().st_size < 4096 + 4000 for path in paths)
    headers = [json.loads(path.read_bytes().split(b"\n")[0]) for path in paths]
    ends = [json.loads(path.read_bytes().split(b"\n")[-2]) for path in paths]
    assert "after" not in headers[0]
    for path, end, header in zip(paths, ends, headers[1:], strict=False):
        assert header["after"] == {"segment": path.name, "seq": end["seq"], "mac": end["mac"]}
        assert header["seq"] == end["seq"] + 1
    assert [header["segment"] for header in headers] == [path.name for path in paths]
    assert ends[-1]["event"] == "end"
    assert damage(tmp_path) == []


async def test_a_segment_of_an_age_is_followed_by_the_next(tmp_path: Path, forge: Forge, clock: MovableClock) -> None:
    async with service(tmp_path, forge, segment_age=3600) as sts:
        for seconds in (0, 3599, 2, 3600):
            clock.move(seconds)
            await ask(sts, forge)
    assert [path.read_bytes().count(b"decision_id") for path in segments(tmp_path)] == [2, 1, 1]
    assert damage(tmp_path) == []


async def test_a_clock_that_jumps_back_stops_nothing(tmp_path: Path, forge: Forge, clock: MovableClock) -> None:
    async with service(tmp_path, forge) as sts:
        for seconds in (0, -86_400, 3600, 86_400):
            clock.move(seconds)
            assert (await ask(sts, forge))[0] == 200
    assert damage(tmp_path) == []


async def test_a_segment_that_somebody_moved_away_is_followed_by_the_next_and_missed(
    tmp_path: Path, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path, forge) as sts:
        for _ in range(2):
            await ask(sts, forge)
        [path] = segments(tmp_path)
        path.rename(tmp_path / "aside")
        monkeypatch.setattr(segment, "LOOK", 0.0)  # as if it had passed
        second = await ask(sts, forge)
    assert ids(tmp_path) == [second[1]]
    [missed] = damage(tmp_path)
    assert f"removed {path.name}" in missed


async def test_a_segment_that_somebody_removed_or_replaced_is_left_at_once(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        for remove in (Path.unlink, (tmp_path / "other").replace):
            (tmp_path / "other").write_bytes(b"")
            for _ in range(2):
                await ask(sts, forge)
            remove(segments(tmp_path)[-1])
            kept = await ask(sts, forge)
            assert kept[1] in ids(tmp_path)


@pytest.mark.parametrize("more", [b"{}\n", b'{"v":1,"decision_id":"forged"}\n'])
async def test_a_segment_that_somebody_else_writes_to_is_left_and_the_stranger_is_seen(tmp_path: Path, forge: Forge, more: bytes) -> None:
    async with service(tmp_path, forge) as sts:
        first = await ask(sts, forge)
        [path] = segments(tmp_path)
        with path.open("ab") as file:
            file.write(more)
        second = await ask(sts, forge)
    assert [one for one in ids(tmp_path) if one != "forged"] == [first[1], second[1]]
    [found] = damage(tmp_path)
    assert f"altered {path.name}:3" in found


async def test_without_its_directory_nothing_is_issued_until_it_is_back(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        first = await ask(sts, forge)
        (tmp_path / "audit").rename(tmp_path / "aside")
        assert await ask(sts, forge) == REFUSED
        checks = (await sts.http.get("/ready")).json()["checks"]
        assert checks["audit-log"] == "No such file or directory"
        (tmp_path / "aside").rename(tmp_path / "audit")
        second = await ask(sts, forge)
    assert ids(tmp_path) == [first[1], second[1]]
    assert damage(tmp_path) == []


async def test_a_directory_that_was_opened_to_others_meanwhile_is_told(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        (tmp_path / "audit").chmod(0o777)
        assert "is open to others (mode 0777)" in (await sts.http.get("/ready")).json()["checks"]["audit-log"]
        assert await ask(sts, forge) == REFUSED, "no segment is begun in it"


async def test_a_segment_is_written_by_one_process_alone(tmp_path: Path, forge: Forge) -> None:
    async with service(tmp_path, forge) as sts:
        await ask(sts, forge)
        [path] = segments(tmp_path)
        assert is_being_written(path)
    assert not is_being_written(path)


async def test_a_link_in_the_place_of_the_next_segment_is_not_followed(tmp_path: Path, forge: Forge, clock: MovableClock) -> None:
    async with service(tmp_path, forge, segment_age=60) as sts:
        await ask(sts, forge)
        [path] = segments(tmp_path)
        (tmp_path / "elsewhere").touch()
        path.with_name(path.name.replace("-000001", "-000002")).symlink_to(tmp_path / "elsewhere")
        clock.move(61)
        assert await ask(sts, forge) == REFUSED
        assert (await ask(sts, forge))[0] == 200, "the number after it is free"
    assert (tmp_path / "elsewhere").read_bytes() == b""
