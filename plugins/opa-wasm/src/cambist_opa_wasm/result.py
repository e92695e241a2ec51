"""What came out of an evaluation: exactly one result, or no answer."""

from __future__ import annotations

from cambist import Answer
from cambist.policy import PolicyUnclear, answer
from cambist.strictjson import NotStrict, loads


def answered(text: bytes) -> Answer:
    """The answer in `[{"result": …}]`. Raises PolicyUnclear for anything else, undefined included."""
    try:
        results = loads(text)
    except NotStrict as error:
        raise _unclear(f"not strict JSON: {error}") from error
    if not isinstance(results, list):
        raise _unclear("not a list of results")
    if not results:
        raise _unclear("undefined: no rule answers this question; give the entry point a default")
    if len(results) > 1:
        raise _unclear(f"{len(results)} results, and one is needed")
    if not isinstance(results[0], dict) or results[0].keys() != {"result"}:
        raise _unclear("the result is not {result: …}")
    return answer(results[0]["result"])


def _unclear(cause: str) -> PolicyUnclear:
    return PolicyUnclear(what="the policy's answer", cause=cause)
