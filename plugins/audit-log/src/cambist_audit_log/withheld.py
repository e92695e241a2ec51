"""What must not be written: every credential of the request, and what looks like one elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from urllib.parse import unquote

from cambist.client_secret import CLIENT_SECRET
from cambist.request import ExchangeRequest

WITHHELD = "[withheld]"
MAX_TEXT = 2048
"""Characters of one text."""
MAX_ITEMS = 100
MAX_DEPTH = 4

GRAM = 6
"""A text that shares 11 characters in a row with a credential holds at least one of the pieces of 6 that the credential is cut into."""

_WORD = re.compile(r"[^\s\"'(){}<>,;]+")
_LOOKS_LIKE_ONE = re.compile(
    r"eyJ[\w-]{8,}(?:\.[\w-]*)*"  # a JWT, or the beginning of one
    r"|(?=[\w+/=-]*[a-z])(?=[\w+/=-]*[A-Z])(?=[\w+/=-]*[0-9])[\w+/=-]{40,}",  # an API key, an access token, an assertion in base64
    re.ASCII,
)


class Withheld:
    """Texts and values of one request as they may be written."""

    def __init__(self, request: ExchangeRequest | None) -> None:
        self._request = request

    @cached_property
    def _grams(self) -> list[str]:
        secrets = () if self._request is None else _secrets(self._request)
        return [secret[start : start + GRAM] for secret in secrets for start in range(0, len(secret) - GRAM + 1, GRAM)]

    def text(self, text: str) -> str:
        """A text that a stranger wrote, or that may quote one."""
        if self._quotes(text):
            text = _WORD.sub(lambda word: WITHHELD if self._quotes(word[0]) else word[0], text)
        if len(text) >= GRAM * 2:
            text = _LOOKS_LIKE_ONE.sub(WITHHELD, text)
        return legible(text)

    def texts(self, texts: Iterable[str]) -> list[str]:
        several = list(texts)
        kept = several[:MAX_ITEMS]
        more = [f"… and {len(several) - MAX_ITEMS} more"] if len(several) > MAX_ITEMS else []
        return [*map(self.text, kept), *more] if self._quotes("\n".join(kept)) else [*map(legible, kept), *more]

    def plain(self, value: object, depth: int = MAX_DEPTH) -> object:
        """Any value as JSON that tells no more than it should; of what is no plain value its type."""
        match value:
            case None | bool():
                return value
            case int() | float():
                return value if abs(value) < 2**53 else str(value)  # also what is infinite or no number
            case str():
                return self.text(value)
            case Mapping() if depth:
                return {self.text(str(k)): self.plain(v, depth - 1) for k, v in list(value.items())[:MAX_ITEMS]}
            case list() | tuple() | set() | frozenset() if depth:
                return [self.plain(item, depth - 1) for item in list(value)[:MAX_ITEMS]]
            case _:
                return f"<{type(value).__name__}>"

    def _quotes(self, text: str) -> bool:
        return any(gram in text for gram in self._grams)


def legible(text: str) -> str:
    """A text as JSON can hold it, and no longer than it may be."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate has no UTF-8
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"


def _secrets(request: ExchangeRequest) -> Iterator[str]:
    for credential in (request.subject, request.actor, request.client):
        if credential is None:
            continue
        if credential.token_type == CLIENT_SECRET:
            # The id before the colon is no secret, and how the secret was encoded is nobody's business.
            secret = credential.token.partition(":")[2]
            yield from {secret, unquote(secret)}
        else:
            yield credential.token
    if request.presented.dpop is not None:
        yield request.presented.dpop
    if request.execution is not None:
        yield request.execution.nonce
