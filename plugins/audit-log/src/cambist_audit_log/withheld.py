"""What must not be written: every credential of the request, and what looks like one elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from cambist.client_secret import CLIENT_SECRET
from cambist.request import ExchangeRequest
from cambist.token_type import ALIASES, KNOWN
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

WITHHELD = "[withheld]"
MAX_TEXT, MAX_TEXTS, MAX_NAME = 1024, 4096, 4096
"""Characters of one text that a stranger wrote, of a list of such, and of a name that was proved."""
FEW = MAX_TEXTS // MAX_TEXT
"""For so many there is always room."""
MAX_ITEMS = 100
MAX_DEPTH = 4

PIECE, SHARED = 6, 11
"""Whatever shares 11 characters in a row with a credential shares a piece of 6, wherever either of them is cut."""

MUCH = 100_000
"""Characters times characters."""

_WORD = re.compile(r"[^\s\"'(){}<>,;]+")
_JWT = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*)*", re.ASCII)
LONG = 40
_LONG = re.compile(rf"[\w+/=-]{{{LONG},}}", re.ASCII)
_OURS = frozenset({*KNOWN, *ALIASES, TOKEN_EXCHANGE, CLIENT_CREDENTIALS})
"""Names that are in nearly every request, and in no credential."""


class Withheld:
    """Texts and values of one request as they may be written."""

    __slots__ = ("_pieces", "_secrets", "_told")

    def __init__(self, request: ExchangeRequest | None) -> None:
        self._secrets = [] if request is None else _secrets(request)
        self._pieces: dict[str, frozenset[str]] = {}
        self._told: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A text that a stranger wrote, or that may quote one."""
        if (len(text) < SHARED and text.isascii()) or text in _OURS:
            return text
        if (told := self._told.get(text)) is None:  # what was asked for is granted, more often than not
            told = self._told[text] = self._without_secrets(legible(text, MAX_TEXT))  # cut first, so that nobody pays for its length
        return told

    def _without_secrets(self, text: str) -> str:
        if self._quotes(text):
            text = _WORD.sub(lambda word: WITHHELD if self._quotes(word[0]) else word[0], text)
            if self._quotes(text):
                return WITHHELD
        if "eyJ" in text:
            text = _JWT.sub(WITHHELD, text)
        return _LONG.sub(_random, text) if len(text) >= LONG else text

    def texts(self, texts: Sequence[str]) -> list[str]:
        """As many as there is room for; then how many more there are."""
        if len(texts) <= FEW:
            return list(map(self.text, texts))
        kept: list[str] = []
        room = MAX_TEXTS
        for text in texts[:MAX_ITEMS]:
            if (room := room - min(len(text), MAX_TEXT)) < 0:
                break
            kept.append(self.text(text))
        return kept if len(kept) == len(texts) else [*kept, f"… and {len(texts) - len(kept)} more"]

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
        if len(text) >= SHARED:
            for secret in self._secrets:
                if self._shares(secret, text):
                    return True
        return False

    def _shares(self, secret: str, text: str) -> bool:
        if len(secret) * len(text) > MUCH:
            return _is_cut_from(text, self._every_piece(secret))
        return _is_cut_from(text, secret) if len(text) < len(secret) else _is_cut_from(secret, text)

    def _every_piece(self, secret: str) -> frozenset[str]:
        """For those who send so much that looking for each piece anew would take long."""
        if secret not in self._pieces:
            self._pieces[secret] = frozenset(secret[start : start + PIECE] for start in range(len(secret) - PIECE + 1))
        return self._pieces[secret]


def _is_cut_from(text: str, whole: str | frozenset[str]) -> bool:
    """Whether one of the pieces that a text is cut into is in the other. A loop, and no `any`: for short texts it takes half as long."""
    for start in range(0, len(text) - PIECE + 1, PIECE):  # noqa: SIM110 - see above
        if text[start : start + PIECE] in whole:
            return True
    return False


def legible(text: str, most: int = MAX_NAME) -> str:
    """A text as JSON can hold it, and no longer than it may be."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()  # a lone surrogate has no UTF-8
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _random(run: re.Match[str]) -> str:
    """Keys, access tokens and assertions in base64 mix small and capital letters and digits; few other words of this length do."""
    kinds = {"a" if c.islower() else "A" if c.isupper() else "0" for c in run[0] if c.isalnum()}
    return WITHHELD if len(kinds) == 3 else run[0]


def _secrets(request: ExchangeRequest) -> list[str]:
    secrets: list[str] = []
    for credential in (request.subject, request.actor, request.client):
        if credential is None:
            continue
        if credential.token_type == CLIENT_SECRET:
            # The id before the colon is no secret, and how the secret was encoded is nobody's business.
            secret = credential.token.partition(":")[2]
            secrets += {secret, unquote(secret)}
        else:
            secrets.append(credential.token)
    if request.presented.dpop is not None:
        secrets.append(request.presented.dpop)
    if request.execution is not None:
        secrets.append(request.execution.nonce)
    return secrets
