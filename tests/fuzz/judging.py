"""What an answer of ours is, whatever was asked: never a fault, never late, never somebody else's page, never an error's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from .request import PATHS, Request

PATIENCE = 1.0
"""Seconds within which there is an answer."""
_INSIDE = re.compile(r"Traceback|File \"|/site-packages/|\bline \d+, in |Error\(|Exception\b|object at 0x")


def complaint(request: Request, status: int, headers: Mapping[str, str], body: bytes, seconds: float) -> str | None:
    """What is wrong with an answer; None when it is as it should be."""
    if seconds > PATIENCE:
        return f"it took {seconds:.2f} seconds"
    if request.method == "HEAD":
        return None if status < 500 else f"status {status}"
    try:
        document = json.loads(body)
    except ValueError:
        return f"no JSON: {body[:80]!r}"
    if found := _INSIDE.search(body.decode("utf-8", "replace")):
        return f"words from inside: {found[0]}"
    if status >= 500 and (status, document.get("reason")) != (501, "token_type_not_enabled"):
        return f"status {status}, {document.get('reason')}"
    if status >= 400 and not {"error", "reason", "request_id"} <= document.keys():
        return f"a refusal without its members: {sorted(document)}"
    if request.path.partition("?")[0] in PATHS.values() and "cambist-decision-id" not in headers and status not in (408, 429, 431):
        return "an answer without a decision"
    return None
