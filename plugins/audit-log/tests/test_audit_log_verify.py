"""What a verification says of each kind of change, what it says of what is no damage, and what it cannot see."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cambist import Unavailable
from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.findings import MOST, Finding, Kind, Report
from cambist_audit_log.testing import KEK, ids, killed, record, report, segments, unopened


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def store(clock: MovableClock) -> MemoryStore:
    return MemoryStore(clock)


async def decide(log: AuditLog, *names: str) -> None:
    for name in names:
        await log.observe(record(name, log.clock()))


async def ledger(folder: Path, clock: MovableClock, store: MemoryStore, *, count: int = 6, **more: Any) -> Path:
    """A ledger of one worker that was stopped; its first segment."""
    async with unopened(folder, clock, store, **more) as log:
        await decide(log, *(f"d{n}" for n in range(count)))
    return segments(folder)[0]


def edit(path: Path, *order: int) -> None:
    """Leave the lines of these numbers, in this order."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[number - 1] for number in order))


async def only(folder: Path, store: MemoryStore, **more: Any) -> Finding:
    found = await report(folder, store, **more)
    [finding] = found.damage
    return finding


# ── what was done, and where ────────────────────────────────────────────────────────────────────────────


async def test_an_altered_line_is_named_with_its_decision(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    path.write_bytes(path.read_bytes().replace(b'"decision_id":"d2"', b'"decision_id":"x2"'))
    found = await only(tmp_path, store)
    assert (found.kind, found.place) == (Kind.ALTERED, f"{path.name}:4 (decision x2)")


async def test_a_removed_line_is_named_by_its_number_and_the_line_after_it(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    edit(path, 1, 2, 3, 5, 6, 7, 8)
    found = await only(tmp_path, store)
    assert (found.kind, found.place) == (Kind.REMOVED, f"{path.name}:4 (decision d3)")
    assert found.text == "line 4 of the chain should stand before it"


async def test_several_removed_lines_are_one_finding(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    edit(path, 1, 2, 6, 7, 8)
    assert (await only(tmp_path, store)).text == "lines 3 to 5 of the chain should stand before it"


async def test_a_line_that_was_moved_is_named(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    edit(path, 1, 2, 3, 5, 4, 6, 7, 8)
    found = (await report(tmp_path, store)).damage
    assert [(one.kind, one.line, one.decision_id) for one in found] == [(Kind.REMOVED, 4, "d3"), (Kind.REORDERED, 5, "d2")]


async def test_a_doubled_line_is_named(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    edit(path, 1, 2, 3, 3, 4, 5, 6, 7, 8)
    found = await only(tmp_path, store)
    assert (found.kind, found.line, found.decision_id) == (Kind.DUPLICATED, 4, "d1")


async def test_a_mac_that_was_changed_by_itself_is_one_finding(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3][:-20] + (b"B" if lines[3][-20:-19] == b"A" else b"A") + lines[3][-19:]  # still a MAC, of another line
    path.write_bytes(b"".join(lines))
    found = await only(tmp_path, store)
    assert (found.kind, found.line) == (Kind.ALTERED, 4)


async def test_a_tail_that_was_cut_off_shows_by_the_checkpoint(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    edit(path, 1, 2, 3)
    found = await only(tmp_path, store)
    assert (found.kind, found.file) == (Kind.CUT, path.name)
    assert found.text == "the store noted line 8 of the chain, which now ends with line 3"


async def test_a_closing_line_alone_that_was_cut_off_shows_too(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    edit(path, 1, 2, 3, 4, 5, 6, 7)
    assert (await only(tmp_path, store)).kind == Kind.CUT


async def test_the_end_of_a_full_segment_shows_by_the_one_after_it_without_a_store(
    tmp_path: Path, clock: MovableClock, store: MemoryStore
) -> None:
    path = await ledger(tmp_path, clock, store, count=40, segment_bytes=4096)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    found = await only(tmp_path, MemoryStore(clock))
    assert (found.kind, found.file) == (Kind.CUT, path.name)
    assert f"says {segments(tmp_path)[1].name}" in found.text


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_a_removed_segment_is_named(tmp_path: Path, clock: MovableClock, store: MemoryStore, which: int) -> None:
    await ledger(tmp_path, clock, store, count=120, segment_bytes=4096)
    path = segments(tmp_path)[which]
    path.unlink()
    found = await only(tmp_path, store)
    assert (found.kind, found.file) == (Kind.REMOVED, path.name)
    assert "the service did not retire it" in found.text


async def test_a_removed_last_segment_and_a_removed_chain_show_by_the_checkpoint(
    tmp_path: Path, clock: MovableClock, store: MemoryStore
) -> None:
    await ledger(tmp_path, clock, store, count=40, segment_bytes=4096)
    last = segments(tmp_path)[-1]
    last.unlink()
    found = await only(tmp_path, store)
    assert (found.kind, found.file) == (Kind.CUT, last.name)
    for path in segments(tmp_path):
        path.unlink()
    found = await only(tmp_path, store)
    assert (found.kind, found.file) == (Kind.REMOVED, last.name)
    assert "the whole chain was removed" in found.text


async def test_a_segment_of_another_chain_is_foreign(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    one = await ledger(tmp_path, clock, store)
    await ledger(tmp_path, clock, store)
    [other] = [path for path in segments(tmp_path) if path != one]
    text = one.read_bytes()
    planted = other.with_name(other.name.replace("-000001", "-000002"))
    planted.write_bytes(text)
    found = await only(tmp_path, store)
    assert (found.kind, found.place, found.text) == (Kind.FOREIGN, f"{planted.name}:1", f"it is a copy of {one.name}")


async def test_a_checkpoint_that_another_line_took_the_number_of_is_told(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    """Who has the key can write another ledger, but not one that the store remembers."""
    path = await ledger(tmp_path, clock, store)
    [(key, kept)] = [(key, json.loads(value)) async for key, value in store.scan("head/")]
    await store.put(key, json.dumps({**kept, "mac": "A" * 43}).encode())
    found = await only(tmp_path, store)
    assert (found.kind, found.text, found.file) == (Kind.ALTERED, "the store noted another line with this number", path.name)


async def test_a_checkpoint_that_cannot_be_read_fits_no_chain(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    await ledger(tmp_path, clock, store)
    [key] = [key async for key, _ in store.scan("head/")]
    await store.put(key, b"junk")
    assert (await only(tmp_path, store)).kind == Kind.CUT


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_another_kek_is_told_as_such_once_for_each_segment(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    path = await ledger(tmp_path, clock, store)
    found = await report(tmp_path, store, kek="6b" * 32)
    told = [(one.kind, one.file) for one in found.damage]
    assert (Kind.OTHER_KEY, path.name) in told
    assert "another KEK" in found.damage[0].text


async def test_a_ledger_of_two_keks_verifies_with_both(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    await ledger(tmp_path, clock, store)
    await ledger(tmp_path, clock, store, kek="6b" * 32)
    assert (await report(tmp_path, store)).damaged
    found = await report(tmp_path, store, kek="6b" * 32, former_keks=[KEK])
    assert (found.damage, found.chains, found.decisions) == ([], 2, 12)


async def test_a_format_that_is_newer_than_the_program_is_told(
    tmp_path: Path, clock: MovableClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr("cambist_audit_log.chain.FORMAT", 2)
        await ledger(tmp_path, clock, store)
    found = (await report(tmp_path, store)).damage[0]
    assert "it has version 2 of the format, and this program knows no version above 1" in found.text


# ── what is no damage ───────────────────────────────────────────────────────────────────────────────────


async def test_an_empty_ledger_is_whole(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    async with unopened(tmp_path, clock, store):
        pass
    assert (await report(tmp_path, store)).document() == {
        **{"ok": True, "chains": 0, "segments": 0, "lines": 0, "decisions": 0},
        **{"damage": [], "notes": []},
    }


async def test_a_worker_that_was_stopped_leaves_a_closed_chain_and_one_that_was_killed_does_not(
    tmp_path: Path, clock: MovableClock, store: MemoryStore
) -> None:
    await ledger(tmp_path, clock, store)
    assert (await report(tmp_path, store)).findings == []
    log = await unopened(tmp_path, clock, store).__aenter__()
    await decide(log, "last")
    assert (await report(tmp_path, store)).findings == [], "a worker that lives has not closed its chain yet"
    killed(log)
    found = await report(tmp_path, store)
    assert [(one.kind, one.text) for one in found.notes] == [(Kind.UNCLOSED, "the process that wrote it did not close it")]
    assert not found.damaged


async def test_half_a_line_at_the_end_was_never_answered_and_hides_none(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    log = await unopened(tmp_path, clock, store).__aenter__()
    await decide(log, "a", "b")
    await log.seal()
    killed(log)
    [path] = segments(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"seq":4,"v":1')
    found = await report(tmp_path, store)
    assert not found.damaged
    assert "what stands after its last line is none" in found.notes[0].text
    path.write_bytes(whole[:-10])
    assert (await only(tmp_path, store)).kind == Kind.CUT, "half of a line that the store knows"


async def test_a_worker_that_came_to_nothing_leaves_no_damage(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    await ledger(tmp_path, clock, store)
    empty = segments(tmp_path)[0].with_name("20270115T120000-00000000000000aa-000001.jsonl")
    for left in (b"", b'{"seq":1,"v":1,"event":"beg'):
        empty.write_bytes(left)
        found = await report(tmp_path, store)
        assert not found.damaged
        assert [one.file for one in found.notes] == [empty.name]


async def test_without_checkpoints_it_says_what_would_not_show(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    await ledger(tmp_path, clock, store)
    found = await report(tmp_path, MemoryStore(clock))
    assert not found.damaged
    assert [one.kind for one in found.notes] == [Kind.UNSEALED]
    assert "would not show" in found.notes[0].text


async def test_chains_of_another_machine_in_the_store_are_not_missed(tmp_path: Path, clock: MovableClock, store: MemoryStore) -> None:
    for node in "ab":
        (tmp_path / node).mkdir()
    await ledger(tmp_path / "a", clock, store, node="a")
    await ledger(tmp_path / "b", clock, store, node="b")
    for node in "ab":
        assert (await report(tmp_path / node, store, node=node)).findings == []
    segments(tmp_path / "a")[0].unlink()
    assert (await report(tmp_path / "a", store, node="a")).damaged
    path = segments(tmp_path / "b")[0]
    edit(path, 1, 2)
    assert (await report(tmp_path / "b", store, node="elsewhere")).damaged, "its checkpoint is found under whatever name"


def test_of_very_many_findings_the_rest_is_counted() -> None:
    many = Report()
    for n in range(MOST + 5):
        many.add(Finding(kind=Kind.ALTERED, text=str(n)))
    assert len(many.findings) == MOST
    assert many.document()["more"] == 5


# ── checkpoints ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_end_is_noted_after_every_interval_and_when_the_service_stops(
    tmp_path: Path, clock: MovableClock, store: MemoryStore
) -> None:
    log = unopened(tmp_path, clock, store, runs=True, seal_interval=0.05)
    async with log:
        await decide(log, "a", "b")
        async with asyncio.timeout(5):
            while not (kept := await log.checkpoints.all()):
                await asyncio.sleep(0.01)
        [checkpoint] = kept.values()
        assert checkpoint.head.end.seq == 3
        await decide(log, "c")
        for task in log._background.tasks.values():  # type: ignore[attr-defined]  # the stand-in of the kit
            task.cancel()
    [checkpoint] = (await log.checkpoints.all()).values()
    assert checkpoint.head.end.seq == 5, "the closing line too"


async def test_what_was_written_after_the_last_checkpoint_can_be_cut_off_unseen(
    tmp_path: Path, clock: MovableClock, store: MemoryStore
) -> None:
    """The limit that the documentation names."""
    log = await unopened(tmp_path, clock, store).__aenter__()
    await decide(log, "a", "b")
    await log.seal()
    await decide(log, "c", "d")
    killed(log)
    edit(segments(tmp_path)[0], 1, 2, 3)
    assert not (await report(tmp_path, store)).damaged
    edit(segments(tmp_path)[0], 1, 2)
    assert (await report(tmp_path, store)).damaged


class Down(MemoryStore):
    """A store that can be down."""

    down = True

    async def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        if self.down:
            raise Unavailable(what="the store", cause="it is down")
        await super().put(key, value, ttl=ttl)


async def test_a_store_that_is_down_stops_no_line_and_is_told_by_readiness(
    tmp_path: Path, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = Down(clock)
    async with unopened(tmp_path, clock, store) as log:
        for name in "abc":
            await decide(log, name)
            await log.seal()
        with pytest.raises(Unavailable) as caught:
            await log.ping()
        assert caught.value.facts == {"what": "the checkpoints of the audit log", "cause": "it is down"}
        store.down = False
        await log.seal()
        await log.ping()
    assert ids(tmp_path) == ["a", "b", "c"]
    assert caplog.text.count("cannot be noted in the store: it is down") == 1
    assert (await report(tmp_path, store)).findings == []


async def test_nothing_is_noted_where_nothing_was_written(tmp_path: Path, clock: MovableClock) -> None:
    store = Down(clock)
    async with unopened(tmp_path, clock, store) as log:
        await log.seal()
        await log.ping()
    store.down = False
    assert await log.checkpoints.all() == {}


async def test_a_process_that_was_forked_writes_a_chain_of_its_own(
    tmp_path: Path, clock: MovableClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    async with unopened(tmp_path, clock, store) as log:
        await decide(log, "before")
        monkeypatch.setattr(os, "getpid", lambda: 4_194_305)
        await decide(log, "after")
        assert len(segments(tmp_path)) == 2
    assert not (await report(tmp_path, store)).damaged
