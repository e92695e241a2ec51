"""Small changes to a good credential, each of which must cost it its goodness."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

_STRANGERS = "aZ0-_.=+/~%\x00 \n\u00e9\u0430\u202e\U0001f511"
_SOME = 6
"""How many of the places between two parts are tried one by one: a long text has many, and they are alike."""
_ALONG = 200
"""How many places are tried all along a text, at the most."""


@st.composite
def small_changes(draw: st.DrawFn, token: str) -> str:
    """A token that differs from `token` by one small change anywhere, and not only by whitespace around it."""
    at = draw(st.integers(0, len(token) - 1))
    kind = draw(st.sampled_from(_kinds(token, at)))
    return _changed(token, draw(st.sampled_from(kind)))


def plain_changes(token: str) -> Iterator[str]:
    """What is tried of every credential: all kinds of changes where a part ends, and the shortest of them all along the way."""
    for at in sorted({0, len(token) - 1, *_seams(token)[:_SOME]}):
        for kind in _kinds(token, at):
            yield from (_changed(token, change) for change in kind)
    for at in range(0, len(token), 1 + len(token) // _ALONG):
        before, letter, after = token[:at], token[at], token[at + 1 :]
        yield from (_changed(token, before + text + after) for text in ("", letter.swapcase(), chr(ord(letter) ^ 1)))


def _kinds(token: str, at: int) -> list[tuple[str, ...]]:
    """What a small change at one place can be, by kinds that are equally likely."""
    before, letter, after = token[:at], token[at], token[at + 1 :]
    return [
        (before + after,),
        (before,),
        (before + letter.swapcase() + after,),
        (before + letter + letter + after,),
        (before + after[:1] + letter + after[1:],),
        (before + chr(ord(letter) ^ 1) + after,),
        (token + token, token[::-1]),
        tuple(before + stranger + after for stranger in _STRANGERS),
        tuple(before + stranger + letter + after for stranger in _STRANGERS),
    ]


def _changed(token: str, change: str) -> str:
    return change if change.strip() != token.strip() else token + "A"


def _seams(token: str) -> list[int]:
    return [at for at, letter in enumerate(token) if not letter.isalnum()] or [0]
