"""Sets of what a policy engine may answer: an OPA that plays each answer, and modules that have each fault, asked by exchanges."""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cambist import DidNotStart
from cambist.testing import Forge
from cambist.token_type import JWT
from cambist_opa_rest.testing import ScriptedOpa

from .corpus import Case, Corpus
from .dialogue import Run, Scene
from .judging import Judgement
from .modules import ALLOW, AT_WORK, DENY, FAULTS, MARK, MOVING, SHUT, sound
from .publisher import publishing
from .skips import Skipped, Why
from .stage import Stage, exchange
from .tally import Tally
from .verbs import Item, Plan, Sent, carried_out, planned, verdict
from .wire import Reply

NOWHERE = "policy.invalid"
DEADLINE = 0.4
"""Seconds for one decision: what an engine withholds must not become a hang of ours."""
MEANWHILE = 100
"""Evaluations that run while a file is replaced."""
LONGEST = 10.0
"""A script of alternating answers is played for no longer, in seconds."""


@dataclass(slots=True)
class Engines:
    """Everything that decides, in a zone each; and an issuer whose tokens ask."""

    scene: Scene
    opa: ScriptedOpa
    forge: Forge


async def play(corpus: Corpus, run: Run) -> Tally:
    """A whole set."""
    tally = Tally(corpus.name, differences=run.differences)
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        async with publishing() as publisher, ScriptedOpa({}) as opa:
            stage = Stage(Path(folder), corpus.at, publisher)
            forge = stage.forge()
            faults = {fault for case in corpus.cases for fault in _named(case.input)} & FAULTS.keys() - SHUT
            settings = _settings(stage, forge, opa, sorted(faults))
            async with run.serve(settings, corpus.at, stage.folder) as service:
                engines = Engines(Scene(stage, service, run, tally), opa, forge)
                for case in corpus.cases:
                    await _case(engines, case)
                await engines.scene.swept()
    return tally


def _named(value: Any) -> Iterator[str]:
    """Every fault that an input names, however deep."""
    if isinstance(value, dict):
        yield from ([value["wasm"]] if isinstance(value.get("wasm"), str) else [])
        for inner in value.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


def _settings(stage: Stage, forge: Forge, opa: ScriptedOpa, faults: list[str]) -> dict[str, Any]:
    trusted = stage.trusted(forge)
    dead = _dead_port()
    whole = stage.settings([trusted])
    kept = {name: table for name, table in whole["plugins"].items() if name != "opa-wasm"}
    port = opa.url.rpartition(":")[2]
    stage.configured.update({f"127.0.0.1 {port}", f"127.0.0.1 {dead}", f"{NOWHERE} looked up"})
    zones = {"nxdomain": _asking(f"https://{NOWHERE}"), "refused": _asking(f"http://127.0.0.1:{dead}")}
    zones |= {f"wasm-{fault}": {"opa-wasm": _laid(stage.folder, fault)} for fault in faults}
    return {
        **whole,
        "plugins": {**kept, **_asking(opa.url)},
        "zones": {name: {"authenticates": [JWT], "plugins": {"jwt": {"issuers": [trusted]}, **rules}} for name, rules in zones.items()},
    }


def _asking(url: str) -> dict[str, Any]:
    return {"opa-rest": {"url": url, "deadline": DEADLINE}}


def _laid(folder: Path, fault: str) -> dict[str, Any]:
    """The module of a fault, and data beside it, as files of their own."""
    module, data = folder / f"{fault}.wasm", folder / f"{fault}.json"
    module.write_bytes(FAULTS[fault]())
    data.write_text("{}", "utf-8")
    return {"bundle": str(module), "data": str(data), "reload": 0.05}


def _dead_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _case(engines: Engines, case: Case) -> None:
    tally = engines.scene.tally
    try:
        plan = planned(case, "wasm" if "wasm" in case.input else "answer")
        if len(plan.items) == 1 and plan.items[0].get("wasm") in MOVING:
            plan = Plan.at_once(plan.items * MEANWHILE, 0, MEANWHILE)
        mark = engines.scene.service.witness.mark()
        if case.input.get("wasm") in SHUT:
            judgement = await _shut(engines, case)
        else:
            judgement = await (_alternated(engines, case) if "alternate" in _answer(case.input) else _judged(engines, case, plan))
        tally.count(case, replace(judgement, unclean=(*judgement.unclean, *engines.scene.strangers(mark))))
    except Skipped as skipped:
        tally.skip(case.id, skipped)


def _answer(item: Item) -> Mapping[str, Any]:
    answer = item.get("answer", {})
    return answer if isinstance(answer, dict) else {}


async def _judged(engines: Engines, case: Case, plan: Plan) -> Judgement:
    async with _moving(engines.scene.stage.folder, plan.items[0].get("wasm")):
        replies = await carried_out(plan, lambda item: _asked(engines, item))
    judgement = verdict(case, plan, replies)
    wrong = [what for item, (reply, _) in zip(plan.items, replies, strict=True) for what in _promised(item, reply)]
    return replace(judgement, wrong=(*judgement.wrong, *wrong))


async def _shut(engines: Engines, case: Case) -> Judgement:
    """A service of its own, with this file as its rules: it does not start, or else it is asked."""
    scene = engines.scene
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        stage = replace(scene.stage, folder=Path(folder))
        settings = stage.settings([stage.trusted(engines.forge)])
        settings["plugins"]["opa-wasm"] = _laid(stage.folder, case.input["wasm"])
        try:
            async with scene.run.serve(settings, engines.forge.clock(), stage.folder) as service:
                reply = await replace(scene, service=service).send(exchange(engines.forge.jwt()))
        except DidNotStart:
            return Judgement(accepted=False)
    return verdict(case, Plan((case.input,), (case.expect,)), [reply])


async def _asked(engines: Engines, item: Item) -> Sent:
    """One exchange, decided by what the item says. Raises Skipped."""
    fault = item.get("wasm")
    if fault is None:
        answer = _answer(item)
        if not answer:
            raise Skipped(Why.INPUT, "neither an answer nor a fault")
        zone = next((zone for member, zone in (("nxdomain", "nxdomain"), ("refused", "refused")) if answer.get(member)), "default")
        engines.opa.play(answer)
        return await _exchanged(engines, zone)
    if fault not in FAULTS:
        raise Skipped(Why.INPUT, f"{fault!r} is no fault that is known")
    zone = f"wasm-{fault}"
    if fault in AT_WORK:
        sound_one, _ = await _exchanged(engines, zone)
        if not sound_one.accepted:
            raise Skipped(Why.INPUT, f"the module does not work without its fault: {sound_one.body[:200]!r}")
    return await _exchanged(engines, zone, **({"scope": MARK} if fault in AT_WORK else {}))


async def _exchanged(engines: Engines, zone: str, **more: str) -> Sent:
    named = {} if zone == "default" else {"zone_id": zone}
    return await engines.scene.send(exchange(engines.forge.jwt(), **named, **more))


def _promised(item: Item, reply: Reply) -> Iterator[str]:
    """An obligation of the answer bounds the token."""
    if not reply.accepted:
        return
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        most = json.loads(_answer(item)["body"])["result"]["obligations"]["max_ttl"]
        if reply.document()["expires_in"] > most:
            yield f"a token for longer than {most} seconds"


@asynccontextmanager
async def _moving(folder: Path, fault: object) -> AsyncIterator[None]:
    """Replace the module, or its data, again and again until the block ends."""

    async def replacing() -> None:
        turn = 0
        while True:
            turn += 1
            suffix, content = (".wasm", sound(DENY if turn % 2 else ALLOW)) if fault == "hotswap" else (".json", b'{"turn":%d}' % turn)
            new = folder / f"{fault}.new"
            new.write_bytes(content)
            new.replace(folder / f"{fault}{suffix}")
            await asyncio.sleep(0.03)

    task = asyncio.create_task(replacing()) if fault in MOVING else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()


async def _alternated(engines: Engines, case: Case) -> Judgement:
    """Two answers in turn, at a pace: as many tokens may come out as times it said yes, and not one more."""
    answer = _answer(case.input)
    scripts = [one if isinstance(one, dict) else {"status": one} if isinstance(one, int) else {"body": one} for one in answer["alternate"]]
    engines.opa.play({"alternate": scripts})
    pace, seconds = float(answer.get("rps", 20)), min(float(answer.get("seconds", 1)), LONGEST)
    before, tasks = len(engines.opa.asked), []
    for _ in range(max(1, int(pace * seconds))):
        tasks.append(asyncio.create_task(_exchanged(engines, "default")))
        await asyncio.sleep(1 / pace)
    replies = await asyncio.gather(*tasks)
    asked = len(engines.opa.asked) - before
    said = sum(_says_yes(scripts[turn % len(scripts)]) for turn in range(asked))
    judgement = verdict(replace(case, expect="either"), Plan.at_once((case.input,) * len(replies), 0, said), replies)
    return replace(judgement, bad=judgement.bad and case.expect == "refuse")


def _says_yes(script: Mapping[str, Any]) -> bool:
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return script.get("status", 200) == 200 and json.loads(script["body"])["result"]["allow"] is True
    return False
