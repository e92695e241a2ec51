"""What came out of an evaluation: exactly one result, or no answer."""

from __future__ import annotations

from cambist import Answer
from cambist.policy import answer, read, unclear


def answered(text: bytes, revision: str | None = None) -> Answer:
    """The answer in `[{"result": …}]`. Raises PolicyUnclear for anything else, undefined included."""
    results = read(text)
    if not isinstance(results, list):
        raise unclear("not a list of results")
    if not results:
        raise unclear("undefined: no rule answers this question; give the entry point a default")
    if len(results) > 1:
        raise unclear(f"{len(results)} results, and one is needed")
    if not isinstance(results[0], dict) or results[0].keys() != {"result"}:
        raise unclear("the result is not {result: …}")
    return answer(results[0]["result"], revision)
