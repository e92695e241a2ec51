"""A ledger of several workers verifies; after any one small change that somebody without the key can make, it does not."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambist import Store
from cambist.store import MemoryStore
from cambist.testing import MovableClock
from cambist_audit_log.audit_log import AuditLog
from cambist_audit_log.findings import Kind, Report
from cambist_audit_log.retention import Retention
from cambist_audit_log.testing import killed, record, report, unopened

Files = dict[str, bytes]
HALF = b'{"seq":42,"v":1,"decis'
"""What a killed worker left at the end of its file."""


@dataclass(frozen=True)
class Made:
    """Files of a ledger, and the store with its checkpoints."""

    files: Mapping[str, bytes]
    store: Store
    half: str
    earlier: Mapping[str, bytes]


@cache
def made() -> Made:
    """Two workers that were stopped, one that was killed, and one whose oldest segments are retired."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_made(Path(folder)))


async def _made(folder: Path) -> Made:
    clock = MovableClock()
    store = MemoryStore(clock)
    async with unopened(folder, clock, store, segment_bytes=4096) as old:
        await _decide(old, "old", 120, clock)
    workers = [unopened(folder, clock, store, segment_bytes=4096) for _ in range(3)]
    for n, worker in enumerate(workers):
        await worker.__aenter__()
        await _decide(worker, f"worker-{n}", 40, clock)
    earlier = _files(folder)
    for n, worker in enumerate(workers):
        await _decide(worker, f"again-{n}", 20, clock)
        if n < 2:
            await worker.__aexit__(None, None, None)
    limits = old.settings.model_copy(update={"keep_age": 190.0})
    await Retention(limits, old.keyring, old.checkpoints, clock).round(lambda *_, **__: None)
    await workers[2].seal()
    assert workers[2]._chain is not None
    chain = workers[2]._chain.id
    killed(workers[2])
    files = _files(folder)
    half = max(name for name in files if name.startswith(chain))
    return Made({**files, half: files[half] + HALF}, store, half, earlier)


def _files(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in (folder / "audit").iterdir()}


async def _decide(worker: AuditLog, name: str, count: int, clock: MovableClock) -> None:
    for n in range(count):
        clock.move(1)
        await worker.observe(record(f"{name}-{n}", clock()))


def verified(files: Mapping[str, bytes]) -> Report:
    """What is found in a ledger of these files."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "audit"
        place.mkdir(mode=0o700)
        for name, text in files.items():
            (place / name).write_bytes(text)
        return asyncio.run(report(Path(folder), made().store))


def segments_of(files: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in files if name.endswith(".jsonl"))


def chain_of(name: str) -> str:
    return name[:32]


def kinds(found: Report) -> set[Kind]:
    return {finding.kind for finding in found.damage}


# ── as it was written ───────────────────────────────────────────────────────────────────────────────────


def test_the_ledger_of_these_tests_has_all_that_a_ledger_can_have() -> None:
    names = sorted(made().files)
    assert len({chain_of(name) for name in names}) == 4
    [buried] = [name for name in names if name.endswith(".retired")]
    first = next(name for name in names if name.startswith(chain_of(buried)))
    assert int(first[33:39]) > 2, "more than one segment is retired"
    assert len(segments_of(made().files)) >= 10
    assert made().files[made().half].endswith(HALF)


def test_an_untouched_ledger_verifies_and_says_what_is_unclosed() -> None:
    found = verified(made().files)
    assert found.damage == []
    [unclosed] = found.notes
    assert (unclosed.kind, unclosed.file) == (Kind.UNCLOSED, made().half)
    assert "was never answered" in unclosed.text
    assert found.chains == 4
    assert found.decisions == sum(text.count(b'"decision_id"') for text in made().files.values())


# ── one small change ────────────────────────────────────────────────────────────────────────────────────

Change = Callable[[st.DataObject, Files], Files]


def flip_a_byte(data: st.DataObject, files: Files) -> Files:
    name = data.draw(st.sampled_from(sorted(files)))
    end = len(files[name]) - (len(HALF) if name == made().half else 0)
    at, bit = data.draw(st.integers(0, end - 1)), data.draw(st.integers(0, 7))
    text = bytearray(files[name])
    text[at] ^= 1 << bit
    return {**files, name: bytes(text)}


def _lines(data: st.DataObject, files: Files) -> tuple[str, list[bytes]]:
    name = data.draw(st.sampled_from(segments_of(files)))
    return name, files[name].removesuffix(HALF).splitlines(keepends=True)


def drop_lines(data: st.DataObject, files: Files) -> Files:
    name, lines = _lines(data, files)
    at = data.draw(st.integers(0, len(lines) - 1))
    del lines[at : at + data.draw(st.integers(1, 3))]
    return {**files, name: b"".join(lines)}


def double_a_line(data: st.DataObject, files: Files) -> Files:
    name, lines = _lines(data, files)
    line = data.draw(st.sampled_from(lines))
    lines.insert(data.draw(st.integers(0, len(lines))), line)
    return {**files, name: b"".join(lines)}


def swap_lines(data: st.DataObject, files: Files) -> Files:
    name, lines = _lines(data, files)
    one, other = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2, unique=True))
    lines[one], lines[other] = lines[other], lines[one]
    return {**files, name: b"".join(lines)}


def cut_off(data: st.DataObject, files: Files) -> Files:
    """At any byte before the last checkpoint."""
    name = data.draw(st.sampled_from(segments_of(files)))
    end = len(files[name].removesuffix(HALF))
    return {**files, name: files[name][: data.draw(st.integers(0, end - 1))]}


def move_a_line(data: st.DataObject, files: Files) -> Files:
    """A genuine line of one segment is put into another."""
    name, lines = _lines(data, files)
    other = data.draw(st.sampled_from([one for one in segments_of(files) if one != name]))
    there = files[other].removesuffix(HALF).splitlines(keepends=True)
    there.insert(data.draw(st.integers(0, len(there))), data.draw(st.sampled_from(lines)))
    return {**files, other: b"".join(there)}


def drop_a_file(data: st.DataObject, files: Files) -> Files:
    gone = data.draw(st.sampled_from(sorted(files)))
    return {name: text for name, text in files.items() if name != gone}


def drop_a_chain(data: st.DataObject, files: Files) -> Files:
    gone = chain_of(data.draw(st.sampled_from(segments_of(files))))
    return {name: text for name, text in files.items() if chain_of(name) != gone}


def splice_a_segment(data: st.DataObject, files: Files) -> Files:
    """A genuine segment takes the name of another: of one that is there, or of one that would come next."""
    one, other = data.draw(st.lists(st.sampled_from(segments_of(files)), min_size=2, max_size=2, unique=True))
    spare = f"{chain_of(other)}-{int(other[33:39]) + data.draw(st.sampled_from([0, 1000])):06d}.jsonl"
    return {**files, spare: files[one]}


def swap_segments(data: st.DataObject, files: Files) -> Files:
    one, other = data.draw(st.lists(st.sampled_from(segments_of(files)), min_size=2, max_size=2, unique=True))
    return {**files, one: files[other], other: files[one]}


def put_an_older_copy_back(data: st.DataObject, files: Files) -> Files:
    changed = [name for name in sorted(made().earlier) if name in files and files[name] != made().earlier[name]]
    return {**files, (name := data.draw(st.sampled_from(changed))): made().earlier[name]}


def rename_a_chain(data: st.DataObject, files: Files) -> Files:
    """All of a chain goes by another name."""
    old = chain_of(data.draw(st.sampled_from(segments_of(files))))
    new = f"20270101T000000-{data.draw(st.integers(0, 2**64 - 1)):016x}"
    return {name.replace(old, new): text for name, text in files.items()}


CHANGES = [
    flip_a_byte,
    drop_lines,
    double_a_line,
    swap_lines,
    cut_off,
    move_a_line,
    drop_a_file,
    drop_a_chain,
    splice_a_segment,
    swap_segments,
    put_an_older_copy_back,
    rename_a_chain,
]


@pytest.mark.row("P-audit")
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.replace("_", " "))
def test_a_ledger_that_was_changed_does_not_verify(change: Change) -> None:
    @settings(max_examples=60, deadline=None, database=None)
    @given(data=st.data())
    def always(data: st.DataObject) -> None:
        changed = change(data, dict(made().files))
        assert changed != made().files
        found = verified(changed)
        assert found.damaged, found.document()
        assert all(finding.file for finding in found.damage), "each has a place"

    always()


@settings(max_examples=40, deadline=None, database=None)
@given(junk=st.binary(min_size=1, max_size=300), data=st.data())
def test_no_junk_anywhere_makes_it_fail_otherwise_than_by_saying_so(junk: bytes, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(made().files)))
    text = made().files[name].removesuffix(HALF)
    at = data.draw(st.integers(0, len(text) - 1))
    assert verified({**made().files, name: text[:at] + junk + text[at:]}).damaged
    assert verified({**made().files, name: junk}).damaged


@settings(max_examples=20, deadline=None, database=None)
@given(data=st.data())
def test_the_line_and_the_decision_that_were_changed_are_named(data: st.DataObject) -> None:
    name, lines = _lines(data, dict(made().files))
    number = data.draw(st.integers(2, len(lines)))
    changed = (
        lines[number - 1].replace(b"Z", b"z", 1) if b"decision_id" in lines[number - 1] else lines[number - 1].replace(b'"v":1', b'"v":2')
    )
    [found] = verified({**made().files, name: b"".join([*lines[: number - 1], changed, *lines[number:]])}).damage
    assert (found.kind, found.file, found.line) == (Kind.ALTERED, name, number)
    if b"decision_id" in changed:
        assert found.decision_id is not None
        assert found.decision_id.encode() in changed
