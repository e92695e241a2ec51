"""Whatever is done to the service, what it acknowledged is kept; every trouble once, in five rounds of those that differ most."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from chaos.evidence import COLUMNS, Evidence, judged
from chaos.report import page, table
from chaos.rounds import Round, played
from chaos.stage import Stage, asking, reason
from chaos.trouble import (
    Trouble,
    a_worker_is_killed,
    everything_is_killed,
    the_clock_leaps,
    the_disk_is_full,
    the_store_is_locked,
)

pytestmark = pytest.mark.xdist_group("chaos")  # one service at a time: it is measured how soon it is back


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("chaos"))
    stage.start()
    yield stage
    stage.stop()


@pytest.mark.row("P-audit")
@pytest.mark.row("P-sqlite")
@pytest.mark.row("P-revocation")
@pytest.mark.parametrize("trouble", [a_worker_is_killed, the_disk_is_full, the_store_is_locked, the_clock_leaps, everything_is_killed])
def test_what_was_acknowledged_is_kept(stage: Stage, trouble: Trouble) -> None:
    one = played(stage, trouble, random.Random())
    assert one.tokens
    assert one.once
    assert one.revoked
    assert one.broken == dict.fromkeys(COLUMNS, 0)


def test_what_is_not_kept_is_counted(stage: Stage) -> None:
    """The judge itself: a revocation that nobody made, an assertion that nobody spent, tokens that nobody signed or wrote down."""
    evidence = Evidence(tokens=[("no decision", "no.token.here")], once=[stage.once()], revoked=[stage.subject()])
    expected = {**dict.fromkeys(COLUMNS, 1), "ledger damage": 0}
    assert judged(stage, evidence) == expected
    segment = next(path for path in sorted((stage.folder / "ledger").glob("*.jsonl")) if len(path.read_bytes().splitlines()) > 3)
    whole = segment.read_bytes()
    lines = whole.splitlines(keepends=True)
    segment.write_bytes(b"".join([*lines[:1], *lines[2:]]))
    try:
        assert judged(stage, Evidence())["ledger damage"] == 1
    finally:
        segment.write_bytes(whole)


def test_the_table_has_a_row_for_each_trouble_and_sums_them() -> None:
    rounds = [
        Round("a", 0.1, dict.fromkeys(COLUMNS, 0), 5, 2, 1, Counter()),
        Round("b", 0.5, dict.fromkeys(COLUMNS, 1), 5, 2, 1, Counter()),
    ]
    lines = table(rounds).splitlines()
    assert lines[-1] == "| **all** | 2 | 10 | 4 | 2 | 1 | 1 | 1 | 1 | 1 | 0.30 | 0.50 |"
    assert len(lines) == 5
    assert "\n".join(lines) in page(rounds, 2, "hypercorn")


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
    revoked = evidence.revoked[0]
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
