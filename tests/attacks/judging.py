"""What an answer is worth: whether it is the verdict that the case demands, and whether it is clean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .corpus import Case, Expect, Http
from .wire import Reply

HANG = 1.0
"""An answer that takes longer, in seconds, is a hang."""
_EXCEPTION = re.compile(
    rb"Traceback \(most|File \"[^\"]+\", line \d|\b[A-Z][A-Za-z]*(?:Error|Exception)\b(?=[:( ])|<html|Internal Server Error"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`wrong` says in what the answer is not the one demanded, `unclean` what no answer may ever be."""

    accepted: bool
    bad: bool = False
    wrong: tuple[str, ...] = ()
    unclean: tuple[str, ...] = ()


def judged(case: Case, expect: Expect, reply: Reply, sent: bytes = b"") -> Judgement:
    """One answer against one verdict."""
    bad = expect == "refuse" and reply.accepted
    return Judgement(reply.accepted, bad, tuple(_wrong(case, expect, reply)), tuple(unclean(case, reply, sent)))


def _wrong(case: Case, expect: Expect, reply: Reply) -> Iterator[str]:
    if expect == "accept" and not reply.accepted:
        yield f"refused: {reply.status} {reply.body[:200]!r}"
    elif expect == "refuse" and reply.accepted:
        yield "accepted"
    elif expect == "refuse":
        yield from _wrong_refusal(case, reply)
    if reply.ours and reply.status != 405 and "no-store" not in reply.header("cache-control"):
        yield "an answer that may be stored"


def _wrong_refusal(case: Case, reply: Reply) -> Iterator[str]:
    if case.expect == "refuse" and not fits(reply.status, case.http):
        yield f"status {reply.status}, not {case.http}"
    if not reply.ours:
        return  # broken HTTP, refused before it was ours
    told = reply.document()
    if case.oauth_error and told.get("error") not in case.oauth_error:
        yield f"error {told.get('error')!r}, not {' or '.join(case.oauth_error)}"
    if _CONTROL.search(str(told.get("error_description", ""))):
        yield "control characters in error_description"


def unclean(case: Case, reply: Reply, sent: bytes = b"") -> Iterator[str]:
    """What is wrong with any answer, whatever its verdict."""
    if reply.seconds > HANG:
        yield f"{reply.seconds:.1f} seconds"
    if reply.status == 0:
        yield "no answer"
    if reply.status >= 500 and not lists(case.http, reply.status):
        yield f"status {reply.status}"
    if 300 <= reply.status < 400:
        yield "a redirect"
    if (found := _EXCEPTION.search(reply.body)) and found[0] not in sent:
        yield f"exception text: {found[0][:80]!r}"


def fits(status: int, spec: Http) -> bool:
    """Whether a status is one of those that are right; without any, all are."""
    return spec is None or lists(spec, status)


def lists(spec: Http, status: int) -> bool:
    if isinstance(spec, list):
        return any(lists(one, status) for one in spec)
    if isinstance(spec, str):
        return any(part.strip() in (str(status), f"{status // 100}xx") for part in spec.split("|"))
    return spec == status
