"""What an input does with its items: one is sent, several in order, or one many times at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from .corpus import VERDICTS, Case, Expect
from .judging import Judgement, judged
from .skips import Skipped, Why
from .wire import Reply

MOST_AT_ONCE = 500
Item = Mapping[str, Any]
Sent = tuple[Reply, bytes]
Send = Callable[[Item], Awaitable[Sent]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Items with the verdict of each; for a race, how many of them may be accepted instead, and how many must."""

    items: tuple[Item, ...]
    expects: tuple[Expect, ...]
    race: tuple[int, int] | None = None

    @classmethod
    def at_once(cls, items: tuple[Item, ...], least: int, most: int) -> Plan:
        either: Expect = "either"
        return cls(items, (either,) * len(items), (least, most))


def planned(case: Case, key: str) -> Plan:
    """`key` names the member of an input that a bare item stands for. Raises Skipped."""
    verb = next((name for name in case.input if name.startswith(("sequence", "parallel"))), None)
    if verb is None:
        return Plan((case.input,), (case.expect,))
    inner = verb.partition("_")[2] or key  # `sequence_xml_b64` says itself what its items are
    rest = {name: value for name, value in case.input.items() if name not in (verb, "expect_each", "times", "max_accepts", "min_accepts")}
    if verb.startswith("sequence"):
        return _in_order(case, [_item(rest, inner, item) for item in case.input[verb]])
    return _at_once(case, _item(rest, inner, case.input[verb]))


def _in_order(case: Case, items: Sequence[Item]) -> Plan:
    expects = case.input.get("expect_each")
    if not isinstance(expects, list) or len(expects) != len(items) or not set(expects) <= set(VERDICTS):
        raise Skipped(Why.INPUT, "expect_each is not one verdict for each item")
    return Plan(tuple(items), tuple(cast("list[Expect]", expects)))


def _at_once(case: Case, item: Item) -> Plan:
    times, most, least = (case.input.get(name, default) for name, default in (("times", 2), ("max_accepts", 1), ("min_accepts", 0)))
    if not all(type(n) is int for n in (times, most, least)) or not 1 <= times <= MOST_AT_ONCE:
        raise Skipped(Why.INPUT, f"times is no number up to {MOST_AT_ONCE}, or max_accepts is none")
    return Plan.at_once((item,) * times, least, most)


def _item(rest: Item, key: str, item: Any) -> Item:
    """A whole input, or only what stands in the member `key` of one."""
    whole = isinstance(item, dict) and (key in item or item.keys() & _WHOLE.get(key, _REQUEST))
    return {**rest, **item} if whole else {**rest, key: item}


_REQUEST = frozenset({"form", "headers", "token", "json", "raw_body_b64", "profile"})
_WHOLE: Mapping[str, frozenset[str]] = {"answer": frozenset({"wasm"}), "wasm": frozenset({"answer"})}
"""Members by which a whole input is told from what stands in its member `key`: an answer, too, has headers."""


async def carried_out(plan: Plan, send: Send) -> list[Sent]:
    if plan.race is not None:
        return list(await asyncio.gather(*map(send, plan.items)))
    return [await send(item) for item in plan.items]


def verdict(case: Case, plan: Plan, replies: Sequence[Sent]) -> Judgement:
    """All answers of a case as one judgement."""
    each = [judged(case, expect, reply, sent) for expect, (reply, sent) in zip(plan.expects, replies, strict=True)]
    if plan.race is not None:
        return _raced(case, plan.race, each, [reply for reply, _ in replies])
    if len(each) == 1:
        return each[0]
    wrong = [f"item {n}: {what}" for n, one in enumerate(each, 1) for what in one.wrong]
    return Judgement(any(one.accepted for one in each), any(one.bad for one in each), tuple(wrong), _unclean(each))


def _raced(case: Case, race: tuple[int, int], each: Sequence[Judgement], replies: Sequence[Reply]) -> Judgement:
    least, most = race
    accepted = sum(one.accepted for one in each)
    wrong = [] if least <= accepted <= most else [f"{accepted} of {len(each)} accepted, not {least} to {most}"]
    if case.expect != "either":
        # Whoever lost the race is refused as the set says.
        losers = [judged(case, "refuse", reply) for reply in replies if not reply.accepted]
        wrong += sorted({what for loser in losers for what in loser.wrong})
    return Judgement(accepted > 0, accepted > most, tuple(wrong), _unclean(each))


def _unclean(each: Sequence[Judgement]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(what for one in each for what in one.unclean))
