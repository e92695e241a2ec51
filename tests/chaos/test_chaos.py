"""Whatever is done to the service, what it acknowledged is kept: five rounds of those that differ most; and what is not kept is seen."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos.__main__ import main, run
from chaos.disk import mounted
from chaos.evidence import Evidence, Thing
from chaos.judging import COLUMNS, judged
from chaos.report import page, table
from chaos.rounds import BACK, REVOKED, Round, played
from chaos.stage import Stage, asking, reason
from chaos.trouble import (
    Trouble,
    a_worker_is_killed,
    everything_is_killed_while_the_clock_is_wrong,
    the_disk_is_full,
    the_key_is_rotated_and_a_worker_killed,
    the_key_is_rotated_while_the_clock_is_ahead,
    the_store_is_locked,
    the_store_is_removed_and_a_worker_killed,
)

pytestmark = pytest.mark.xdist_group("chaos")  # one service at a time: it is measured how soon it is back

NOTHING = dict.fromkeys(COLUMNS, 0)


def lasting(what: object) -> Thing:
    return Thing(what, time.monotonic() + 60)


def one(**said: object) -> Round:
    return Round(**{"trouble": "a", "back": 0.1, "effective": 0.2, "broken": NOTHING, "tokens": 5, "once": 2, "revoked": 1, **said})  # type: ignore[arg-type]  # as the test says


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("chaos")
    with mounted(folder):
        stage = Stage(folder)
        stage.start()
        yield stage
        stage.stop()


@pytest.mark.row("P-audit")
@pytest.mark.row("P-sqlite")
@pytest.mark.row("P-revocation")
@pytest.mark.parametrize(
    "trouble",
    [
        a_worker_is_killed,
        the_disk_is_full,
        the_store_is_locked,
        the_store_is_removed_and_a_worker_killed,
        everything_is_killed_while_the_clock_is_wrong,
    ],
)
def test_what_was_acknowledged_is_kept(stage: Stage, trouble: Trouble) -> None:
    done = played(stage, trouble, random.Random())
    assert done.tokens
    assert done.once
    assert done.revoked
    assert done.broken == NOTHING


def test_what_is_not_kept_is_counted(stage: Stage) -> None:
    """The judge itself: a revocation that nobody made, an assertion that nobody spent, tokens that nobody signed or wrote down."""
    tokens = [("no decision", "no.token.here")]
    evidence = Evidence(tokens=tokens, once=[lasting(stage.once()), lasting(stage.action())], revoked=[lasting(stage.subject())])
    assert judged(stage, evidence) == {**NOTHING, **dict.fromkeys(COLUMNS, 1), "accepted twice": 2, "ledger damage": 0}
    segment = next(path for path in sorted((stage.folder / "ledger").glob("*.jsonl")) if len(path.read_bytes().splitlines()) > 3)
    whole = segment.read_bytes()
    lines = whole.splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:1], *lines[2:]]))
    try:
        assert judged(stage, Evidence())["ledger damage"] == 1
    finally:
        segment.write_bytes(whole)


def test_what_nobody_had_an_answer_to_is_accepted_now_or_was_and_then_no_more(stage: Stage) -> None:
    with asking() as http:
        spent = stage.once()
        assert reason(http.post(**spent)) == "permitted"
    assert judged(stage, Evidence(unanswered=[stage.once(), stage.action(), spent])) == NOTHING


def test_what_an_earlier_round_left_is_asked_again(stage: Stage) -> None:
    before = Evidence(once=[lasting(stage.once())], revoked=[lasting(stage.subject())])
    assert judged(stage, Evidence(before=before)) == {**NOTHING, "lost revocations": 1, "accepted twice": 1}


def test_a_store_and_keys_that_believe_a_clock_that_leaps_are_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What once was wrong with ours: an hour of tokens and assertions forgotten, because for a moment it was tomorrow."""
    monkeypatch.setattr("cambist_keys_file.ring.REMEMBERED", 0.0)  # it is the harness that rotates
    stage = Stage(tmp_path, modules={"sqlite": "chaos.forgetful"})
    troubles = (
        the_key_is_rotated_and_a_worker_killed,
        the_key_is_rotated_while_the_clock_is_ahead,
        everything_is_killed_while_the_clock_is_wrong,
    )
    done = run(stage, 3, random.Random(3), troubles)
    assert sum(each.broken["accepted twice"] for each in done)
    assert sum(each.broken["broken keys"] for each in done)


def test_the_table_has_a_row_for_each_trouble_and_sums_them() -> None:
    rounds = [one(), one(trouble="b", back=0.5, effective=0.4, broken=dict.fromkeys(COLUMNS, 1), unanswered=3)]
    lines = table(rounds).splitlines()
    assert lines[-1] == "| **all** | 2 | 10 | 4 | 3 | 2 | 1 | 1 | 1 | 1 | 1 | 0.40 | 0.30 | 0.50 |"
    assert len(lines) == 5
    assert "\n".join(lines) in page(rounds, 2, "hypercorn", "a tmpfs", "on 2 cores")


@pytest.mark.parametrize(
    ("done", "code"),
    [
        (one(), 0),
        (one(broken={**NOTHING, "accepted twice": 1}), 1),
        (one(back=BACK + 0.01), 1),
        (one(effective=REVOKED + 0.01), 1),
    ],
    ids=["kept", "broken", "back-late", "revoked-late"],
)
def test_a_run_ends_with_1_where_something_was_not_kept_or_took_too_long(
    done: Round, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chaos.__main__.run", lambda *_: [done])
    monkeypatch.setattr("chaos.__main__._compiled", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["make chaos", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    assert '"rounds": 1' in capsys.readouterr().out


# ── four workers ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("four"), workers=4)
    stage.start()
    yield stage
    stage.stop()


@pytest.mark.row("P-sqlite")
def test_what_is_sent_fifty_times_at_once_to_four_workers_is_accepted_once(four: Stage) -> None:
    with ThreadPoolExecutor(50) as pool:
        for _ in range(20):
            request, start = four.once(), threading.Barrier(50)

            def sent(_: int, request: dict[str, object] = request, start: threading.Barrier = start) -> str:
                with asking() as http:  # a connection of its own, so that any worker can have it
                    start.wait()
                    return reason(http.post(**request))  # type: ignore[arg-type]  # as Stage.once makes it

            assert Counter(pool.map(sent, range(50))) == {"permitted": 1, "replayed": 49}


@pytest.mark.row("P-revocation")
def test_a_revocation_holds_in_four_workers_within_a_second_and_after_a_restart(four: Stage) -> None:
    evidence = Evidence()
    token = four.subject()
    clients = [asking() for _ in range(16)]
    https = [client.__enter__() for client in clients]
    assert {reason(http.post(**four.exchange(token))) for http in https} == {"permitted"}
    thread = threading.Thread(target=evidence._revoke, args=(four,))
    other = four.subject()
    thread.start()
    while not evidence.revoked:
        time.sleep(0.001)
    acknowledged = time.monotonic()
    evidence.stop.set()
    thread.join()
    revoked = evidence.revoked[0].what
    last = acknowledged
    for _ in range(20):
        for http in https:
            if reason(http.post(**four.exchange(revoked))) != "revoked":
                last = time.monotonic()
        assert reason(https[0].post(**four.exchange(other))) == "permitted"
    assert last - acknowledged < 1.0
    for client in clients:
        client.__exit__(None, None, None)
    four.start()
    with asking() as http:
        assert reason(http.post(**four.exchange(revoked))) == "revoked"
