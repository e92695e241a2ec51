"""The harness finds what it is there to find: sets with planted wrong verdicts, played against a service that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from attacks.__main__ import main, played
from attacks.corpus import corpora, read
from attacks.dialogue import Run
from attacks.differences import Differences
from attacks.standing import Standing
from attacks.tally import Tally, table
from attacks.witness import Witness

PLANTED = Path(__file__).parent / "planted"
DECLARED = Differences({("planted-requests", "stricter"): "on purpose"})
CLAIMS = "eyJpc3MiOiJodHRwczovL3N0cy5leGFtcGxlLnRlc3QiLCJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLnRlc3QifQ"
TOKEN = f"eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.c2lnbmF0dXJl"


def _http(status: int, document: Mapping[str, Any], *, store: bool = False) -> bytes:
    body = json.dumps(document).encode()
    cache = "" if store else "cache-control: no-store\r\n"
    head = f"HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\n{cache}x-request-id: r\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


REFUSAL = {"error": "invalid_request", "error_description": "no"}
ACCEPTED = _http(200, {"access_token": TOKEN})
ANSWERS = {
    "accept": ACCEPTED,
    "stored": _http(200, {"access_token": TOKEN}, store=True),
    "control": _http(400, {**REFUSAL, "error_description": "a\nb"}),
    "bare": b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
    "traceback": _http(400, {**REFUSAL, "detail": "KeyError: 'x'"}),
    "503": _http(503, REFUSAL),
    "500": _http(500, REFUSAL),
    "redirect": _http(302, REFUSAL),
    "nothing": b"",
}


@dataclass
class Told:
    """A service that does what the parameter `say` of a request says."""

    folder: Path
    port: int = 0
    log: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def witness(self) -> Witness:
        return Witness(self.folder / "heard")

    def finish(self) -> str:
        return "\n".join(self.log)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        given = parse_qs((await reader.readexactly(length)).decode())
        writer.write(await self._answer(given.get("say", ["refuse"])[0], given.get("subject_token", [""])[0]))
        writer.close()

    async def _answer(self, say: str, token: str) -> bytes:
        self.seen[token] += 1
        if say == "hang":
            await asyncio.sleep(1.05)
        self._misbehave(say, token)
        if say == "once" and self.seen[token] == 1:
            return ACCEPTED
        return {**ANSWERS, "echo": _http(400, {**REFUSAL, "seen": token})}.get(say, _http(400, REFUSAL))

    def _misbehave(self, say: str, token: str) -> None:
        if say == "log":
            self.log.append(f"refused {token}")
        elif say == "ledger":
            (self.folder / "ledger").mkdir()
            (self.folder / "ledger" / "0.jsonl").write_text(json.dumps({"token": token}), "utf-8")
        elif say == "outbound":
            (self.folder / "heard").write_text("127.0.0.1 1\n203.0.113.9 80\n", "utf-8")


@asynccontextmanager
async def told(settings: Mapping[str, Any], at: float, folder: Path) -> AsyncIterator[Standing]:
    service = Told(folder)
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = server.sockets[0].getsockname()[1]
    async with server:
        yield service


async def tally_of(name: str) -> Tally:
    (tally,) = await played([read(PLANTED / name)], Run(told, differences=DECLARED))
    return tally


async def test_wrong_verdicts_are_counted_each_for_what_it_is() -> None:
    tally = await tally_of("planted-requests")
    assert tally.document() == {
        "controls": False,
        "right": 10,  # also of what was unclean, or leaked, the verdict can be right
        "decided": 17,
        "bad_accepted": 2,
        "unclean": 6,
        "leaks": 3,
        "skipped": {"declared difference": 1, "input is not understood": 2},
    }
    assert not tally.good


async def test_what_was_wrong_is_told_by_the_name_of_the_case() -> None:
    tally = await tally_of("planted-requests")
    told_of = {line.partition(":")[0] for line in tally.told}
    assert told_of == {
        *("bad-accept", "bad-control", "bad-status", "bad-error", "bad-description", "bad-cache", "declared-bad"),
        *("unclean-traceback", "unclean-500", "unclean-redirect", "unclean-nothing", "unclean-hang", "unclean-outbound"),
        *("skip-placeholder", "skip-shape", "leak"),
    }
    leaks = sorted(line.rpartition(" in ")[2] for line in tally.told if line.startswith("leak"))
    assert leaks == ["an answer", "the ledger", "the log"]
    assert [line for line in tally.told if "127.0.0.1 1" in line or "203.0.113.9 80" in line]


async def test_every_verb_is_judged_by_all_of_its_answers() -> None:
    tally = await tally_of("planted-verbs")
    assert tally.document() == {
        "controls": False,
        "right": 3,
        "decided": 8,
        "bad_accepted": 2,
        "unclean": 0,
        "leaks": 0,
        "skipped": {"input is not understood": 2},
    }
    whole = " ".join(tally.told)
    assert "race-bad: planted: 3 of 3 accepted, not 0 to 1" in whole
    assert "race-none: planted: 0 of 3 accepted, not 1 to 1" in whole
    assert "race-losers: planted: status 400, not 409" in whole
    assert "sequence-bad: planted: item 2: accepted" in whole


async def test_a_race_is_run_as_often_as_is_asked() -> None:
    (tally,) = await played([read(PLANTED / "planted-verbs")], Run(told, rounds=3))
    assert tally.decided == 4 + 3 * 4


async def test_a_set_that_nobody_knows_is_skipped_by_reason_and_shown() -> None:
    tally = await tally_of("unknown")
    assert tally.document()["skipped"] == {"set is not understood": 1}
    assert tally.told


async def test_a_set_that_cannot_be_played_is_no_success_and_hides_no_other() -> None:
    @asynccontextmanager
    async def broken(settings: Mapping[str, Any], at: float, folder: Path) -> AsyncIterator[Standing]:
        if settings:
            raise OSError("no port left")
        yield Told(folder)

    tallies = await played(list(corpora(PLANTED)), Run(broken))
    assert [tally.name for tally in tallies] == ["planted-requests", "planted-verbs", "unknown"]
    assert not tallies[0].good
    assert tallies[0].told == ["the set cannot be played: OSError: no port left"]


async def test_the_table_has_a_line_for_each_set() -> None:
    tally = Tally("a-set", right=1, decided=2)
    tally.skipped["no key for it"] += 3
    head, line = table([tally])
    assert head.split()[:3] == ["set", "controls", "right"]
    assert line.split() == ["a-set", "yes", "1", "2", "0", "0", "0", "3", "no", "key", "for", "it"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--corpora", str(tmp_path / "absent")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_the_last_line_is_json_and_the_exit_code_says_whether_all_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "json-parsing"
    folder.mkdir()
    cases = [{"name": "y_a.json", "expect": "accept", "b64": "W10="}, {"name": "n_b.json", "expect": "refuse", "b64": "Ww=="}]
    (folder / "cases.json").write_text(json.dumps({"cases": cases}), "utf-8")
    assert main(["--corpora", str(tmp_path), "--only", "json-parsing"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last == {
        "json-parsing": {"controls": True, "right": 2, "decided": 2, "bad_accepted": 0, "unclean": 0, "leaks": 0, "skipped": {}}
    }
    cases[1]["b64"] = "W10="
    (folder / "cases.json").write_text(json.dumps({"cases": cases}), "utf-8")
    assert main(["--corpora", str(tmp_path), "--only", "json-parsing"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["json-parsing"]["bad_accepted"] == 1
