"""An open-loop client: it asks at moments that were set beforehand, however slow the answers are, and says how late it was itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import perf_counter

import httpx

from cambist.compact import Compact

CONNECTIONS = 16
"""So many, used in turn, that every worker has some of them."""
PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request. `late` is how long after its moment it was sent, `took` how long the answer took; in seconds.

    `said` is empty for a token, of which `kid` names the key and `lives` is the lifetime; else it is what was said in its place.
    """

    late: float
    took: float
    said: str = ""
    kid: str = ""
    lives: int = 0


async def paced(url: str, body: Callable[[], bytes], *, rate: float, seconds: float) -> list[Answer]:
    """Ask so many times a second, each time with another body."""
    answers: list[Answer] = []
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=PATIENCE)) for _ in range(CONNECTIONS)]
        began = perf_counter()

        async def ask(number: int) -> None:
            answers.append(await _asked(clients[number % CONNECTIONS], url, body(), began + number / rate))

        async with asyncio.TaskGroup() as group:
            for number in range(round(rate * seconds)):
                await asyncio.sleep(max(0.0, began + number / rate - perf_counter()))
                group.create_task(ask(number))
    return answers


async def _asked(client: httpx.AsyncClient, url: str, body: bytes, due: float) -> Answer:
    sent = perf_counter()
    try:
        answer = await client.post(url, content=body, headers={"content-type": "application/json"})
    except httpx.HTTPError as error:
        return Answer(sent - due, perf_counter() - sent, type(error).__name__)
    took, told = perf_counter() - sent, answer.json()
    if answer.status_code != httpx.codes.OK:
        return Answer(sent - due, took, f"{answer.status_code} {told.get('sts_error')}")
    return Answer(sent - due, took, kid=str(Compact.parse(told["access_token"]).header["kid"]), lives=told["expires_in"])
