"""What came out of an evaluation: exactly one result, or no answer."""

from __future__ import annotations

from functools import lru_cache

from cambist import Answer
from cambist.answer import AnswerDocument, meant, read, unclear, understood

_SHORT = 1024
"""Bytes of an answer that is remembered: rules answer the same few things again and again."""


def answered(text: bytes, revision: str | None = None) -> Answer:
    """The answer in `[{"result": …}]`. Raises PolicyUnclear for anything else, undefined included."""
    return meant(_remembered(text) if len(text) <= _SHORT else _read(text), revision)


@lru_cache(256)
def _remembered(text: bytes) -> AnswerDocument:
    return _read(text)


def _read(text: bytes) -> AnswerDocument:
    results = read(text)
    if not isinstance(results, list):
        raise unclear("not a list of results")
    if not results:
        raise unclear("undefined: no rule answers this question; give the entry point a default")
    if len(results) > 1:
        raise unclear(f"{len(results)} results, and one is needed")
    if not isinstance(results[0], dict) or results[0].keys() != {"result"}:
        raise unclear("the result is not {result: …}")
    return understood(results[0]["result"])
