"""How a set over HTTP is played: one service for all of it, each case sent as its verbs say, each answer judged."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from .corpus import Case, Corpus
from .differences import Differences
from .judging import HANG, Judgement
from .publisher import publishing
from .skips import Skipped
from .stage import LEDGER, Stage
from .standing import Serve, Standing
from .tally import Tally
from .verbs import Item, Plan, Sent, carried_out, planned, verdict
from .wire import Reply, Request, ask


class Dialogue(Protocol):
    """What one kind of set has of its own. `key` is the member of an input that a bare item of a verb stands for."""

    @property
    def key(self) -> str: ...

    def settings(self) -> Mapping[str, Any]: ...

    def requests(self, case: Case) -> Callable[[Item], Request]:
        """How the items of one case become requests. Raises Skipped."""

    def promised(self, case: Case, reply: Reply) -> Iterator[str]:
        """What else is wrong with an answer that was accepted."""


@dataclass(frozen=True, slots=True)
class Run:
    """How this run is made. `rounds` is how often each race is run, `sample` takes one of so many where only cleanliness is asked."""

    serve: Serve
    rounds: int = 1
    sample: int = 1
    differences: Differences = field(default_factory=Differences)


@dataclass(frozen=True, slots=True)
class Scene:
    """One set while it plays."""

    stage: Stage
    service: Standing
    run: Run
    tally: Tally

    def strangers(self, mark: int) -> list[str]:
        """Connections since a mark that nobody configured."""
        configured = self.stage.configured | {f"127.0.0.1 {self.stage.publisher.port}"}
        return [f"an outbound connection to {place}" for place in self.service.witness.strangers(mark, frozenset(configured))]

    async def send(self, request: Request, *, again: bool = False) -> Sent:
        """Send, and remember what was secret in it. With `again`, a slow answer is asked for twice: a hang is one each time."""
        for secret in request.secrets:
            self.stage.canaries.keep(secret)
        raw = request.raw()
        reply = await ask(self.service.port, raw)
        if again and reply.seconds > HANG:
            reply = replace(reply, seconds=(await ask(self.service.port, raw)).seconds)
        if not reply.accepted:
            for found in self.stage.canaries.seen_in(reply.body.decode("utf-8", "replace")):
                self.tally.leak("an answer", found)
        elif (token := reply.document().get("access_token")) and isinstance(token, str):
            self.stage.canaries.keep(token)
        return reply, raw

    async def swept(self) -> None:
        """The end of the set: stop the service, and look for every secret in what it told and wrote."""
        metrics, _ = await self.send(Request(path="/metrics", method="GET"))
        ledger = (file for file in sorted((self.stage.folder / LEDGER).rglob("*")) if file.is_file())
        texts = {
            "the metrics": metrics.body.decode("utf-8", "replace"),
            "the log": await asyncio.to_thread(self.service.finish),
            "the ledger": "\n".join(file.read_text("utf-8", "replace") for file in ledger),
        }
        for where, text in texts.items():
            for found in self.stage.canaries.seen_in(text):
                self.tally.leak(where, found)


async def play(corpus: Corpus, make: Callable[[Corpus, Stage], Dialogue], run: Run) -> Tally:
    """A whole set."""
    tally = Tally(corpus.name, differences=run.differences)
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        async with publishing() as publisher:
            stage = Stage(Path(folder), corpus.at, publisher)
            dialogue = make(corpus, stage)
            async with run.serve(dialogue.settings(), corpus.at, stage.folder) as service:
                scene = Scene(stage, service, run, tally)
                for case in corpus.cases:
                    await _case(scene, dialogue, case)
                await scene.swept()
    return tally


async def _case(scene: Scene, dialogue: Dialogue, case: Case) -> None:
    try:
        plan = planned(case, dialogue.key)
        for _ in range(scene.run.rounds if plan.race else 1):
            scene.tally.count(case, await _judged(scene, dialogue, case, plan))
    except Skipped as skipped:
        scene.tally.skip(case.id, skipped)


async def _judged(scene: Scene, dialogue: Dialogue, case: Case, plan: Plan) -> Judgement:
    asking = dialogue.requests(case)
    single = len(plan.items) == 1

    async def send(item: Item) -> Sent:
        return await scene.send(asking(item), again=single)

    mark = scene.service.witness.mark()
    replies = await carried_out(plan, send)
    judgement = verdict(case, plan, replies)
    broken = [what for reply, _ in replies if reply.accepted for what in dialogue.promised(case, reply)]
    return replace(judgement, wrong=(*judgement.wrong, *broken), unclean=(*judgement.unclean, *scene.strangers(mark)))
