"""Strings that break programs, each in each text parameter of both dialects: whatever comes of it must be clean."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from cambist.client_assertion import JWT_BEARER
from cambist.token_type import JWT
from cambist.zone import TOKEN_EXCHANGE

from .corpus import Case, Corpus
from .dialogue import Run, Scene
from .judging import judged
from .publisher import publishing
from .skips import Skipped, Why
from .stage import AUD, Stage, document, form
from .tally import Tally
from .wire import Request

AT_ONCE = 8
_BOTH = (
    "grant_type", "subject_token", "subject_token_type", "actor_token", "audience", "scope", "requested_token_type", "zone_id",
    "client_id", "application_id", "client_secret", "client_assertion", "client_assertion_type", "ttl_seconds", "session_id",
)  # fmt: skip
FORM_ONLY = ("actor_token_type", "resource", "challenge_response", "parameter that nobody knows")
EXECUTION = ("htm", "htu", "nonce", "payload_hash")
COMPANIONS = {
    "actor_token": {"actor_token_type": JWT},
    "actor_token_type": {"actor_token": "x.y.z"},
    "client_assertion": {"client_assertion_type": JWT_BEARER},
    "client_assertion_type": {"client_assertion": "x.y.z"},
}
"""What a parameter means nothing without."""
GOOD_EXECUTION = {"htm": "GET", "htu": "https://api.example.test/x", "nonce": "n-1"}


async def play(corpus: Corpus, run: Run) -> Tally:
    """A whole set, on one service. The control is the same request without any of the strings."""
    tally = Tally(corpus.name, differences=run.differences)
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        async with publishing() as publisher:
            stage = Stage(Path(folder), corpus.at, publisher)
            forge = stage.forge()
            async with run.serve(stage.settings([stage.trusted(forge)]), corpus.at, stage.folder) as service:
                scene, token = Scene(stage, service, run, tally), forge.jwt()
                await _control(scene, token)
                mark = service.witness.mark()
                turn = asyncio.Semaphore(AT_ONCE)
                await asyncio.gather(*(_case(scene, turn, case, token) for case in corpus.cases[:: run.sample]))
                for stranger in scene.strangers(mark):
                    tally.unclean += 1
                    tally.told.append(stranger)
                await scene.swept()
    return tally


async def _control(scene: Scene, token: str) -> None:
    for request in (form(_members(token).items()), document(_members(token))):
        reply, _ = await scene.send(request)
        if not reply.accepted:
            scene.tally.controls = False
            scene.tally.told.append(f"the control is refused: {reply.status} {reply.body[:200]!r}")


def _members(token: str) -> dict[str, Any]:
    return {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": JWT, "audience": AUD}


async def _case(scene: Scene, turn: asyncio.Semaphore, case: Case, token: str) -> None:
    text = case.input.get("string")
    if not isinstance(text, str):
        scene.tally.skip(case.id, Skipped(Why.INPUT, "no string"))
        return
    async with turn:
        for where, request in placed(text, token):
            # The string is no secret: it is looked at, and told, as whatever it is put for.
            reply, sent = await scene.send(replace(request, secrets=(token,)), again=True)
            scene.tally.count(replace(case, id=f"{case.id} as {where}"), judged(case, "either", reply, sent))


def placed(text: str, token: str) -> Iterator[tuple[str, Request]]:
    """The requests with one string in each place where one can stand."""
    for name in (*_BOTH, *FORM_ONLY):
        yield name, form({**_members(token), **COMPANIONS.get(name, {}), name: text}.items())
    for name in _BOTH:
        yield f"json {name}", document({**_members(token), **COMPANIONS.get(name, {}), name: text})
    for name in EXECUTION:
        yield f"json execution_scope.{name}", document({**_members(token), "execution_scope": {**GOOD_EXECUTION, name: text}})
    yield "a header", form(_members(token).items(), headers=[("x-request-id", text.replace("\r", " ").replace("\n", " "))])
