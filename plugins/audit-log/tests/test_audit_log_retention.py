"""Old segments go, oldest first, whole, and only genuine ones; what somebody else removed is still missed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cambist import Unavailable
from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.directory import held
from cambist_audit_log.findings import Kind
from cambist_audit_log.retention import MOURNING, Retention
from cambist_audit_log.testing import ids, killed, lines, record, report, segments, unopened

DAY = 86_400.0


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(clock: MovableClock) -> MemoryStore:
    return MemoryStore(clock)


async def decide(log: AuditLog, clock: MovableClock, count: int, name: str = "d") -> None:
    """One decision a minute."""
    for n in range(count):
        clock.move(60)
        await log.observe(record(f"{name}{n}", clock()))


async def ledger(folder: Path, clock: MovableClock, store: MemoryStore, count: int = 160, name: str = "d") -> AuditLog:
    """What a worker that was stopped left, in several segments."""
    async with unopened(folder, clock, store, segment_bytes=4096) as log:
        await decide(log, clock, count, name)
    return log


async def retire(log: AuditLog, **limits: Any) -> list[dict[str, Any]]:
    """One round; what it noted in the ledger."""
    noted: list[dict[str, Any]] = []

    def note(event: str, **more: Any) -> None:
        noted.append({"event": event, **more})

    settings = log.settings.model_copy(update=limits)
    await Retention(settings, log.keyring, log.checkpoints, log.clock).round(note)
    return noted


def names(folder: Path) -> list[str]:
    return [path.name for path in segments(folder)]


async def test_segments_that_are_too_old_go_and_the_ledger_still_verifies(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await ledger(tmp_path, clock, store)
    before, decided = names(tmp_path), ids(tmp_path)
    [noted] = await retire(log, keep_age=40 * 60.0)
    assert 0 < len(names(tmp_path)) < len(before)
    assert names(tmp_path) == before[-len(names(tmp_path)) :], "the oldest go"
    assert ids(tmp_path) == decided[-len(ids(tmp_path)) :]
    assert {f"d{n}" for n in range(120, 160)} <= set(ids(tmp_path)), "no line that is young enough"
    assert noted == {"event": "retired", "chain": before[0][:32], "upto": before[-len(names(tmp_path)) - 1]}
    assert (await report(tmp_path, store)).findings == []
    assert await retire(log, keep_age=40 * 60.0) == [], "once"


async def test_when_there_is_too_much_the_oldest_go(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await ledger(tmp_path, clock, store)
    before = names(tmp_path)
    assert await retire(log, keep_bytes=12_000)
    total = sum(path.stat().st_size for path in segments(tmp_path))
    assert 6_000 < total <= 12_000
    assert names(tmp_path) == before[-len(names(tmp_path)) :]
    assert (await report(tmp_path, store)).findings == []


async def test_a_segment_that_somebody_else_removed_is_missed_for_all_that_was_retired(
    tmp_path: Path, clock: MovableClock, store: MemoryStore
) -> None:
    log = await ledger(tmp_path, clock, store)
    await retire(log, keep_age=40 * 60.0)
    gone = segments(tmp_path)[0]
    gone.unlink()
    found = await report(tmp_path, store)
    assert [(one.kind, one.file) for one in found.damage] == [(Kind.REMOVED, gone.name)]


async def test_who_has_no_key_cannot_say_that_something_was_retired(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await ledger(tmp_path, clock, store)
    await retire(log, keep_age=90 * 60.0)
    [tombstone] = (tmp_path / "audit").glob("*.retired")
    earlier = tombstone.read_bytes()
    await retire(log, keep_age=30 * 60.0)
    for told in (earlier, json.dumps({**json.loads(tombstone.read_bytes()), "upto": 99}).encode() + b"\n", b"", b"junk"):
        tombstone.write_bytes(told)
        assert Kind.REMOVED in {one.kind for one in (await report(tmp_path, store)).damage}
    tombstone.unlink()
    assert Kind.REMOVED in {one.kind for one in (await report(tmp_path, store)).damage}


async def test_a_segment_that_was_altered_is_not_deleted_nor_what_comes_after_it(
    tmp_path: Path, clock: MovableClock, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Else who alters a record could have the service delete the proof of it."""
    log = await ledger(tmp_path, clock, store)
    before, spoilt = names(tmp_path), segments(tmp_path)[1]
    spoilt.write_bytes(spoilt.read_bytes().replace(b"permitted", b"permiTted", 1))
    await retire(log, keep_age=1.0)
    assert names(tmp_path) == before[1:]
    assert f"{spoilt.name} is not as it was written, and is not deleted" in caplog.text
    assert Kind.ALTERED in {one.kind for one in (await report(tmp_path, store)).damage}


@pytest.mark.parametrize("at", [b"1999-01-15T12", b"2099-01-15T12"])
async def test_a_date_that_was_forged_deletes_nothing(tmp_path: Path, clock: MovableClock, store: MemoryStore, at: bytes) -> None:
    log = await ledger(tmp_path, clock, store)
    before = names(tmp_path)
    for path in segments(tmp_path):
        path.write_bytes(path.read_bytes().replace(b"2027-01-15T12", at).replace(b"2027-01-15T13", at))
    await retire(log, keep_age=3 * DAY)
    assert names(tmp_path) == before


async def test_a_tail_that_was_cut_off_is_not_buried(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await ledger(tmp_path, clock, store, count=5)
    [path] = segments(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    clock.move(30 * DAY)
    assert await retire(log, keep_age=DAY) == []
    assert (await report(tmp_path, store)).damaged


async def test_large_files_of_a_stranger_do_not_have_ours_deleted(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await ledger(tmp_path, clock, store)
    before = names(tmp_path)
    total = sum(path.stat().st_size for path in segments(tmp_path))
    for name in ("20000101T000000-00000000000000aa-000001.jsonl", before[-1].replace(before[-1][33:39], "999999")):
        with (tmp_path / "audit" / name).open("wb") as file:
            file.truncate(1 << 30)
    await retire(log, keep_bytes=total + 10_000)
    assert set(before) <= set(names(tmp_path))


async def test_a_chain_of_a_process_that_is_no_more_goes_whole_and_is_forgotten_a_day_later(
    tmp_path: Path, clock: MovableClock, store: MemoryStore
) -> None:
    log = await ledger(tmp_path, clock, store)
    clock.move(30 * DAY)
    young = await ledger(tmp_path, clock, store, count=3, name="young")
    await retire(young, keep_age=DAY)
    assert ids(tmp_path) == ["young0", "young1", "young2"]
    assert (await report(tmp_path, store)).findings == []
    assert len(await log.checkpoints.all()) == 2
    assert len(list((tmp_path / "audit").glob("*.retired"))) == 1
    clock.move(MOURNING + 1)
    await retire(young, keep_age=30 * DAY)
    assert len(await log.checkpoints.all()) == 1
    assert list((tmp_path / "audit").glob("*.retired")) == []
    assert (await report(tmp_path, store)).findings == []


async def test_a_killed_chain_goes_too(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await unopened(tmp_path, clock, store).__aenter__()
    await decide(log, clock, 3)
    await log.seal()
    killed(log)
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b'{"seq":5,"v":1,"deci')
    clock.move(30 * DAY)
    assert len(await retire(log, keep_age=DAY)) == 1
    assert names(tmp_path) == []
    assert (await report(tmp_path, store)).findings == []


async def test_what_is_being_written_stays_and_goes_on(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    async with unopened(tmp_path, clock, store, segment_bytes=4096) as log:
        await decide(log, clock, 40)
        await log.seal()
        clock.move(30 * DAY)
        last = names(tmp_path)[-1]
        await retire(log, keep_age=DAY)
        assert names(tmp_path) == [last]
        await decide(log, clock, 20, "later")
        assert (await report(tmp_path, store)).findings == []
    assert (await report(tmp_path, store)).findings == []


async def test_the_service_does_it_by_itself_and_says_so_in_the_ledger(
    tmp_path: Path, clock: MovableClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    await ledger(tmp_path, clock, store)
    clock.move(30 * DAY)
    monkeypatch.setattr("cambist_audit_log.retention.PAUSE", 0.02)
    log = unopened(tmp_path, clock, store, keep_age=DAY, runs=True)
    async with log:
        await asyncio.sleep(0.1)
        assert len(segments(tmp_path)) > 3, "a process that wrote nothing deletes nothing"
        await decide(log, clock, 1, "new")
        async with asyncio.timeout(10):
            while len(segments(tmp_path)) > 1:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        for task in log._background.tasks.values():  # type: ignore[attr-defined]  # the stand-in of the kit
            task.cancel()
    assert [line["event"] for line in lines(tmp_path) if "event" in line] == ["begin", "retired", "end"]
    assert (await report(tmp_path, store)).findings == []


async def test_while_somebody_verifies_nothing_goes(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await ledger(tmp_path, clock, store)
    before = names(tmp_path)
    with held(tmp_path / "audit", alone=False):
        clock.move(2)
        await retire(log, keep_age=1.0)
        assert names(tmp_path) == before
    await retire(log, keep_age=1.0)
    assert names(tmp_path) == []


async def test_what_cannot_be_told_in_the_ledger_is_not_done(
    tmp_path: Path, clock: MovableClock, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    log = await ledger(tmp_path, clock, store)
    before = names(tmp_path)

    def full(*_: Any, **__: Any) -> None:
        raise Unavailable(what="the audit log", cause="No space left on device")

    await Retention(log.settings.model_copy(update={"keep_age": 1.0}), log.keyring, log.checkpoints, clock).round(full)
    assert names(tmp_path) == before
    assert "old segments of the audit log cannot be deleted" in caplog.text


async def test_who_is_killed_after_it_was_signed_leaves_what_the_next_round_ends(
    tmp_path: Path, clock: MovableClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await ledger(tmp_path, clock, store)
    unlink, gone = Path.unlink, list[Path]()

    def dying(path: Path, *, missing_ok: bool = False) -> None:
        if path.suffix == ".jsonl" and len(gone) == 1:
            raise OSError(5, "killed")
        gone.append(path)
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as killing:
        killing.setattr(Path, "unlink", dying)
        await retire(log, keep_age=30 * 60.0)
    assert len(gone) == 1
    assert (await report(tmp_path, store)).findings == []
    await retire(log, keep_age=30 * 60.0)
    assert (await report(tmp_path, store)).findings == []
    assert len(names(tmp_path)) <= 4
