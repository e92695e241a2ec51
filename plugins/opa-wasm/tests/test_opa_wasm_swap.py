"""Rules that change while the service works: swapped in one piece, and broken ones never."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cambist import DidNotStart
from cambist.testing import Forge, MovableClock, Running, open_sts
from cambist.token_type import JWT
from cambist_opa_wasm.testing import bundle, wasm

pytestmark = pytest.mark.row("P-opa-wasm")

CLOCK = MovableClock()
FORGE = Forge("https://idp.example.test", "https://sts.example.test", CLOCK)
LOOK = 0.02
SLOW = "(loop $l (local.set 0 (i32.add (local.get 0) (i32.const 1))) (br_if $l (i32.lt_s (local.get 0) (i32.const 2000)))) (i32.const 8192)"
BY_DATA = (
    "(select (i32.const 8192) (i32.const 16384) (i32.eq (i32.load8_u offset=8 (local.get 2)) (i32.const 65)))",
    '(data (i32.const 16384) "[{\\22result\\22:{\\22allow\\22:false}}]\\00")',
)


def rules(name: str, **changes: Any) -> bytes:
    return wasm(result={"allow": True, "claims": {"rules": name}}, **changes)


def put(path: Path, content: bytes) -> None:
    """As deployments do: written beside, then renamed."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.replace(path)


@asynccontextmanager
async def served(bundle_path: Path, **more: Any) -> AsyncIterator[Running]:
    plugins = {
        "jwt": {"issuers": [{"issuer": FORGE.issuer, "jwks": FORGE.jwks}]},
        "opa-wasm": {"bundle": str(bundle_path), "reload": LOOK, **more},
    }
    async with open_sts({"authenticates": [JWT], "plugins": plugins}, clock=CLOCK) as running:
        await running.sts.ready()  # opens the zone
        yield running


async def exchanged(running: Running) -> tuple[int, str | None]:
    """The status, and the name of the rules that permitted."""
    answer = await running.json(subject_token=FORGE.jwt(), audience="https://api.example.test")
    if answer.status_code != 200:
        return answer.status_code, None
    payload = answer.json()["access_token"].split(".")[1]
    return 200, json.loads(base64.urlsafe_b64decode(payload + "=="))["rules"]


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(LOOK / 2)


async def state(running: Running) -> str:
    return (await running.sts.ready())["zone default: opa-wasm"]


async def test_new_rules_are_at_work_soon_after_they_were_put_there(tmp_path: Path) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("first"))
    async with served(path) as running:
        assert await exchanged(running) == (200, "first")
        put(path, bundle({"/policy.wasm": rules("second"), "/.manifest": b'{"revision":"r2"}'}))
        await until(lambda: _is(running, "second"))
        assert await state(running) == "ok"


async def _is(running: Running, name: str) -> bool:
    return await exchanged(running) == (200, name)


async def test_hotswap_no_evaluation_is_harmed_and_each_is_by_one_of_the_two(tmp_path: Path) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("first", opa_eval=SLOW))
    async with served(path) as running:
        assert await exchanged(running) == (200, "first")
        seen: list[tuple[int, str | None]] = []
        put(path, rules("second", opa_eval=SLOW))
        while (200, "second") not in seen or len(seen) < 100:
            seen += await asyncio.gather(*(exchanged(running) for _ in range(10)))
            assert len(seen) < 5_000
    assert set(seen) <= {(200, "first"), (200, "second")}
    assert seen[-10:] == [(200, "second")] * 10


BROKEN = {
    "bad-magic": b"\x7fELF",
    "cut off": bundle({"/policy.wasm": rules("x")})[:-20],
    "trap": rules("x", opa_eval="unreachable"),
    "loop": rules("x", opa_eval="(loop $l (br $l)) (unreachable)"),
    "builtin-http": rules("x", builtins={"http.send": 0}),
    "empty-set": rules("x", answer="[]"),
    "no entry point": rules("x", entrypoints={"other": 0}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_rules_never_replace_good_ones_and_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("first"))
    async with served(path) as running:
        with caplog.at_level(logging.ERROR, "cambist_opa_wasm.policy"):
            put(path, BROKEN[name])
            await until(lambda: _is_broken(running))
            await asyncio.sleep(LOOK * 5)
            assert len(caplog.records) == 1  # told once, not at each look
        assert await exchanged(running) == (200, "first")
        put(path, rules("third"))
        await until(lambda: _is(running, "third"))
        assert await state(running) == "ok"


async def _is_broken(running: Running) -> bool:
    return "still at work: " in await state(running)


async def test_rules_that_vanish_stay_at_work_and_coming_back_heals(tmp_path: Path) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("first"))
    async with served(path) as running:
        path.unlink()
        await until(lambda: _is_broken(running))
        assert "No such file" in await state(running)
        assert await exchanged(running) == (200, "first")
        put(path, rules("first"))
        await until(lambda: _is_ok(running))


async def _is_ok(running: Running) -> bool:
    return await state(running) == "ok"


async def test_data_race_changed_data_are_at_work_whole_or_not_at_all(tmp_path: Path) -> None:
    path, data = tmp_path / "rules.wasm", tmp_path / "data.json"
    put(path, rules("by data", opa_eval=BY_DATA[0], extra=BY_DATA[1]))
    put(data, b'{"who":"A"}')
    async with served(path, data=str(data)) as running:
        assert await exchanged(running) == (200, "by data")
        for content, status in ((b'{"who":"B"}', 403), (b'{"who":"A"}', 200)):
            put(data, content)
            await until(partial(_status, running, status))
        put(data, b'{"who":')
        await until(lambda: _is_broken(running))
        assert await exchanged(running) == (200, "by data")


async def _status(running: Running, status: int) -> bool:
    return (await exchanged(running))[0] == status


async def test_with_reload_0_the_files_are_never_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("first"))
    async with served(path, reload=0) as running:
        put(path, rules("second"))
        await asyncio.sleep(LOOK * 5)
        assert await exchanged(running) == (200, "first")
        assert not [name for name in await running.sts.ready() if name.startswith("opa-wasm")]


async def test_rules_that_change_only_their_time_are_not_loaded_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("first"))
    async with served(path) as running:
        with caplog.at_level(logging.INFO, "cambist_opa_wasm.policy"):
            await exchanged(running)
            os.utime(path, (1, 1))
            await asyncio.sleep(LOOK * 5)
        assert not caplog.records


async def test_the_watch_is_seen_in_ready_and_ends_with_the_service(tmp_path: Path) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("first"))
    async with served(path) as running:
        await exchanged(running)
        assert (await running.sts.ready())["opa-wasm: zone default"] == "ok"
        assert [task for task in asyncio.all_tasks() if task.get_name() == "opa-wasm: zone default"]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "opa-wasm: zone default"]


@pytest.mark.parametrize("content", [None, b"\x7fELF", bundle({"/policy.wasm": rules("x")})[:-20]])
async def test_files_that_cannot_be_read_keep_the_service_shut(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "rules.wasm"
    if content is not None:
        put(path, content)
    with pytest.raises(DidNotStart, match="plugin opa-wasm cannot open") as caught:
        async with served(path):
            pass
    assert str(path) in str(caught.value) or "half-written" in str(caught.value)


async def test_a_module_that_is_broken_inside_refuses_every_exchange_with_its_cause(tmp_path: Path) -> None:
    path = tmp_path / "rules.wasm"
    put(path, rules("x", builtins={"http.send": 0}))
    async with served(path) as running:
        assert await exchanged(running) == (503, None)
        refusal = running.records[-1].refusal
        assert refusal is not None
        assert "http.send" in str(refusal.facts)
