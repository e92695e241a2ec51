"""The measurements themselves, by few and small ones: they measure what they say, see what is broken, and write what they found."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from habits.parts import program

from bench import budget, growth, share, tables
from bench.growth import PLOT, SIZES, drawn
from bench.many import ASKED, KINDS, many
from bench.pace import Answer, paced
from bench.page import PAGE, put
from bench.pipeline import asking, opened
from bench.plot import Bars
from bench.soak import Plan, Soaked, run
from bench.soak import told as in_words
from bench.work import Work

pytestmark = pytest.mark.xdist_group("bench")
MEGABYTE = 1_000_000


# ── growth ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_with_many_of_a_kind_grants_what_is_asked_of_any_of_them(kind: str, tmp_path: Path) -> None:
    much = many(kind, ASKED + 3, tmp_path)
    await much.revoke()
    sts, ask = await opened(much.settings)
    assert len(set(much.asked)) > ASKED
    for body, proof in much.asked:
        await asking(partial(ask, authorization=proof), body, 200)()
    assert len(await sts.revocations.all()) == much.revoked
    await sts.__aexit__(None, None, None)


def test_sizes_are_weighed_and_measured_in_processes_of_their_own(tmp_path: Path) -> None:
    figures = growth._grown("issuers", tmp_path, rounds=1, seconds=0.01, sizes=(1, 200))
    assert figures.keys() == {"growth.issuers.1", "growth.issuers.200", "growth.issuers.bytes"}
    assert all(figures[f"growth.issuers.{size}"] > 0 for size in (1, 200))
    assert math.isfinite(figures["growth.issuers.bytes"])  # of two processes, which weigh differently from one time to the next


def test_a_start_is_measured_until_the_service_answers(tmp_path: Path) -> None:
    assert growth._started(tmp_path, 2) > 0


def test_the_plot_has_a_bar_for_each_size_of_each_kind_and_is_readable_in_the_dark() -> None:
    figures = {f"growth.{kind}.{size}": 100.0 + size / 100 for kind in KINDS for size in SIZES}
    svg = drawn(figures)
    bars = [element for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect") if element.get("y")]
    heights = [float(bar.attrib["height"]) for bar in bars if bar.get("class", "").startswith("bar") and bar.get("width") != "12"]
    assert len(heights) == len(KINDS) * len(SIZES)
    assert math.isclose(heights[2] / heights[0], 200 / 100.01, rel_tol=0.01)
    assert "prefers-color-scheme: dark" in svg
    assert "CPU of an exchange" in svg
    assert "of what there is much" in svg


def test_the_plot_of_the_page_is_one_of_ours() -> None:
    made = drawn({f"growth.{kind}.{size}": 100.0 for kind in KINDS for size in SIZES})
    assert PLOT.read_text("utf-8").splitlines()[:10] == made.splitlines()[:10]


def test_words_of_a_plot_are_escaped() -> None:
    svg = Bars(title="a < b", across="&", up='"', kinds=["<1>"], groups=[("<&>", [1.0])]).svg()
    assert ElementTree.fromstring(svg)[0].text == "a < b"


# ── soak ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_steady_load_goes_through_a_rotation_other_rules_and_an_outage_without_an_error(tmp_path: Path) -> None:
    done = run(Plan(seconds=12, rate=20, warm=1), tmp_path)
    assert len(done.answers) == 13 * 20
    assert [said for said in done.broken() if "grew" not in said] == []  # so early, memory still grows
    assert len(done.memory) == 2
    assert done.figures()["p99_ms"] > 0


def soaked(**changes: object) -> Soaked:
    """A run in which everything was kept; as it came otherwise with `changes`."""
    plan = Plan(seconds=10, rate=1, warm=1)
    answers = [Answer(0.0, 0.0, 0.01, kid="a", lives=1), Answer(1.0, 0.0, 0.03, kid="b", lives=2)]
    memory = {1: {1.5: MEGABYTE, 10.5: MEGABYTE}, 2: {1.5: MEGABYTE, 10.5: MEGABYTE}}
    log = "cannot be fetched can be fetched again " * 2
    return replace(Soaked(plan, answers, memory, ([1, 2], [1, 2]), log), **changes)  # type: ignore[arg-type]  # as the test says


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        (
            {"answers": [Answer(5, 0, 1, "503 busy"), Answer(5, 0, 1, kid="a", lives=1), Answer(5, 0, 1, kid="b", lives=2)]},
            ["1 times: 503 busy, first after 5 s"],
        ),
        ({"memory": {1: {1.5: MEGABYTE, 10.5: MEGABYTE * 1.05}}}, ["a worker grew by 5.0%"]),
        ({"pids": ([1, 2], [1, 3])}, ["a worker was started again"]),
        ({"answers": [Answer(5, 0, 1, kid="a", lives=1), Answer(5, 0, 1, kid="a", lives=2)]}, ["no other key signed"]),
        ({"answers": [Answer(5, 0, 1, kid="a", lives=1), Answer(5, 0, 1, kid="b", lives=1)]}, ["no other rules decided"]),
        ({"log": "cannot be fetched can be fetched again"}, ["not every worker noticed that the issuer left and returned"]),
    ],
    ids=["kept", "error", "memory", "restarted", "no-key", "no-rules", "no-outage"],
)
def test_a_soak_says_what_was_not_kept(changes: dict[str, object], said: list[str]) -> None:
    done = soaked(**changes)
    assert done.broken() == said
    assert json.loads(json.dumps(done.figures()))["broken"] == said


def test_a_soak_is_told_in_a_sentence() -> None:
    assert "2 exchanges in 11 s on hypercorn with 2 workers, 0 errors" in in_words(soaked())


async def test_an_answer_that_does_not_come_and_one_that_is_no_token_are_told_apart() -> None:
    """And the request after a connection that was closed is sent on another one."""
    count, talking = 0, []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        talking.append(asyncio.current_task())
        while await reader.readline():
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            count += 1
            if count == 1:
                break
            told = b'{"reason": "busy"}'
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        answers = await paced(port, "/", lambda: b"{}", rate=100, seconds=0.2)
        await asyncio.gather(*filter(None, talking))
    assert sorted(one.said for one in answers) == [*["503 busy"] * 19, "ConnectionResetError"]


# ── the share of each worker ────────────────────────────────────────────────────────────────────────────


def test_the_busiest_worker_has_at_least_half_of_the_load_and_at_most_all_of_it(tmp_path: Path) -> None:
    program("wrk")
    [found] = share.shares(tmp_path, "uvicorn", runs=1)
    assert 0.5 <= found <= 1


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([0.5, 0.6, 0.9], []),
        ([0.5, 0.7, 0.9], ["share.uvicorn.median is 0.70"]),
        ([0.5, 0.6, 1.0], ["share.uvicorn.most: one worker had all of it"]),
    ],
    ids=["even", "uneven", "all"],
)
def test_a_load_that_is_not_shared_is_told(found: list[float], said: list[str]) -> None:
    assert share.broken(share.figures("uvicorn", found)) == said


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_replaces_what_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n<!-- one: by a -->\nold\n<!-- end of one -->\nkept\n<!-- two: by b -->\n<!-- end of two -->\n")
    put("one", r"new \1", page)
    put("two", "b", page)
    put("one", "newer", page)
    assert page.read_text() == (
        "# A\n<!-- one: by a -->\n\nnewer\n\n<!-- end of one -->\nkept\n<!-- two: by b -->\n\nb\n\n<!-- end of two -->\n"
    )
    with pytest.raises(LookupError, match="0 places for three"):
        put("three", "", page)


@pytest.mark.parametrize("name", ["budget", "ratios", "http", "growth", "share", "soak"])
def test_the_page_has_one_place_for_each_run(name: str) -> None:
    text = PAGE.read_text("utf-8")
    assert text.count(f"<!-- {name}: ") == text.count(f"<!-- end of {name} -->") == 1


def test_all_that_a_run_measures_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, plot = tmp_path / "page.md", tmp_path / "growth.svg"
    page.write_text(PAGE.read_text("utf-8"))
    monkeypatch.setattr("bench.page.PAGE", page)
    monkeypatch.setattr("bench.growth.PLOT", plot)
    figures = dict.fromkeys(tables.RATIOS, 2.5) | {
        "pipeline.es256.over_floor": 2.5,
        "pipeline.watched": 2.0,
        "step.policy": 0.5,
        "step.mint": 0.25,
    }
    figures |= {
        f"{name}.c{many}.{figure}": 1.0 for name in tables.SERVED for many in (1, 8, 64) for figure in ("cpu", "rate", "p50", "p99")
    }
    figures |= {f"{name}.pss": 5e7 for name in tables.SERVED} | {f"http.{server}.2.start": 0.5 for server in ("uvicorn", "hypercorn")}
    figures |= {f"growth.{kind}.{size}": 1.0 for kind in KINDS for size in SIZES} | {f"growth.{kind}.bytes": 1234.0 for kind in KINDS}
    figures |= {"growth.start.1": 0.5, "growth.start.10000": 2.0} | share.figures("uvicorn", [0.5]) | share.figures("hypercorn", [0.6])
    tables.written(figures, dict.fromkeys(tables.RATIOS, 2.5))
    text = page.read_text("utf-8")
    assert "| policy | the question is written as JSON, the compiled rules decide, their answer is read | 25% |" in text
    assert "Together that is 2.50 times the floor." in text
    assert "| over HTTP, Uvicorn, two workers | 2.50 |" in text
    assert "| Cambist on Hypercorn | 64 | 1.00 | 1.00 | 1.00 | 50 |" in text
    assert "| hypercorn | 0.60 | 0.60 |" in text
    assert "| resources | 1,234 |" in text
    assert "2.0 s with 10,000 issuers" in text
    assert plot.read_text("utf-8").startswith("<svg")


async def test_the_steps_of_an_exchange_are_timed(tmp_path: Path) -> None:
    work, stopwatch = Work("https://sts.example.test"), budget.Stopwatch()
    sts, ask = await opened(work.settings(tmp_path), stopwatch)
    await asking(ask, work.body(), 200)()
    await sts.__aexit__(None, None, None)
    assert stopwatch.medians().keys() == budget.STEPS.keys()
