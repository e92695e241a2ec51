"""Small changes to a good credential, each of which must cost it its goodness."""

from __future__ import annotations

from hypothesis import strategies as st

_STRANGERS = "aZ0-_.=+/~%\x00 \n\u00e9\u0430\u202e\U0001f511"


@st.composite
def small_changes(draw: st.DrawFn, token: str) -> str:
    """A token that differs from `token` by one small change anywhere, and not only by whitespace around it."""
    changed = _change(draw, token)
    return changed if changed.strip() != token.strip() else token + "A"


def _change(draw: st.DrawFn, token: str) -> str:
    # Around a separator most of all: there one part ends and the next has not begun.
    seams = [at for at, letter in enumerate(token) if not letter.isalnum()] or [0]
    at = draw(st.integers(0, len(token) - 1) | st.sampled_from(seams))
    stranger = draw(st.sampled_from(_STRANGERS))
    kinds = {
        "drop": token[:at] + token[at + 1 :],
        "insert": token[:at] + stranger + token[at:],
        "replace": token[:at] + stranger + token[at + 1 :],
        "double": token[:at] + token[at] + token[at:],
        "swap": token[:at] + token[at : at + 2][::-1] + token[at + 2 :],
        "case": token[:at] + token[at].swapcase() + token[at + 1 :],
        "cut": token[:at],
        "turn": token[::-1],
        "twice": token + token,
        "neighbour": token[:at] + chr(ord(token[at]) ^ 1) + token[at + 1 :],
    }
    return kinds[draw(st.sampled_from(sorted(kinds)))]
