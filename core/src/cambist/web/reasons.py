"""The page that every refusal links to, served by the service itself: it is of the version that refused, and needs no other network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html import escape
from itertools import groupby

from ..wire.call import Call, Reply
from ..wire.reasons import Reason
from ..wire.reasons import reasons as all_reasons

MAX_AGE = 3600
"""How long a browser may keep it, in seconds."""

# There is nothing on it but text: no script, no style, no picture, no form, and no frame around it.
_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_TERMS = (("Likely cause", "likely"), ("What to do", "fix"))


async def reasons(call: Call) -> Reply:
    """Every reason, each at an anchor of its own code."""
    return _page()


@cache
def _page() -> Reply:
    headers = (
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", f"public, max-age={MAX_AGE}"),
        ("content-security-policy", _POLICY),
        ("referrer-policy", "no-referrer"),
    )
    return Reply(status=200, body="\n".join(_html()).encode(), headers=headers)


def _html() -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Reasons</title></head><body><h1>Reasons</h1>'
    yield "<p>Each refusal has a reason. Its decision id leads the operator to the whole story: <code>cambist explain ID</code>.</p>"
    for family, members in groupby(all_reasons(), key=lambda reason: reason.family):
        yield f"<h2>{escape(family)}</h2>"
        for reason in members:
            yield from _section(reason)
    yield "</body></html>"


def _section(reason: Reason) -> Iterator[str]:
    yield f'<h3 id="{reason.code}">{reason.code}</h3><p>{_text(reason.meaning)}</p><dl>'
    for term, name in _TERMS:
        yield f"<dt>{term}</dt><dd>{_text(getattr(reason, name))}</dd>"
    form, json = reason.form, reason.json
    yield f"<dt>Told as</dt><dd>form: {form.status} <code>{form.error}</code>, JSON: {json.status} <code>{json.error}</code></dd></dl>"


def _text(text: str) -> str:
    """What stands between backticks is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
