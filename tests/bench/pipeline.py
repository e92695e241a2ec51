"""The whole story without HTTP: from a call to a reply, with every protection on."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from cambist.audit import Observer
from cambist.settings import parse
from cambist.sts import Sts
from cambist.web.endpoints import endpoints
from cambist.web.metrics import Metrics
from cambist.wire.call import Call, Reply

SLICES = 10
"""Parts of a round, in turn: differences of a few hundredths are looked for, and what else a machine does lasts longer than a part."""

Once = Callable[[], Awaitable[object]]


class Ask(Protocol):
    """One request to the JSON endpoint; `authorization` is that header."""

    def __call__(self, body: bytes, *, authorization: str = "") -> Awaitable[Reply]: ...


async def opened(settings: Mapping[str, Any], *observers: Observer, tried: bool = False) -> tuple[Sts, Ask]:
    """A service in this process, and its JSON endpoint; `tried` as in a worker, whose settings were checked by another process."""
    metrics = Metrics()
    sts = await Sts(parse(settings), observers=(*observers, metrics), tried=tried).__aenter__()
    endpoint = endpoints(sts, metrics)["/v1/exchange/token"]

    async def ask(body: bytes, *, authorization: str = "") -> Reply:
        said = (("authorization", authorization),) if authorization else ()
        headers = (("content-type", "application/json"), ("content-length", str(len(body))), *said)
        return await endpoint(Call(method="POST", path="/v1/exchange/token", headers=headers, body=body, request_id="r"))

    return sts, ask


def asking(ask: Callable[[bytes], Awaitable[Reply]], body: bytes, status: int) -> Once:
    """Ask the same, again and again; `$NONCE` in the body is another text each time. Raises AssertionError for any other status."""
    bodies = _anew(body) if b"$NONCE" in body else itertools.repeat(body)

    async def once() -> Reply:
        reply = await ask(next(bodies))
        if reply.status != status:
            raise AssertionError(reply)
        return reply

    return once


def _anew(body: bytes) -> Iterator[bytes]:
    for count in itertools.count():
        yield body.replace(b"$NONCE", b"%d-%d" % (time.monotonic_ns(), count))


def in_turn(each: Iterable[Once]) -> Once:
    """One of them after the other, and again."""
    turns = itertools.cycle(each)

    async def once() -> object:
        return await next(turns)()

    return once


async def measured(once: Once, seconds: float) -> float:
    """Microseconds of CPU for each, over some seconds."""
    for _ in range(20):
        await once()
    count, end, began = 0, time.monotonic() + seconds, time.process_time()
    while not count or time.monotonic() < end:
        for _ in range(20):
            await once()
        count += 20
    return (time.process_time() - began) / count * 1e6
