"""What OPA's data API said: one decision in an envelope that is known, or no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cambist import Answer, Unavailable
from cambist.answer import answer, read, unclear
from cambist.egress import Answer as Reply

MAX_BODY = 256 * 1024
"""The longest answer that is read, in bytes."""
ENVELOPE = frozenset({"result", "decision_id", "provenance", "metrics"})
"""What OPA puts around a decision. `warning` is not among it: OPA warns where it did not find the question."""
UNVERSIONED = "unversioned"
HINTS: Mapping[int, str] = {
    401: ": it wants another token",
    403: ": its own authorisation does not let us ask",
    404: ": there is no OPA, or no such path",
}


def answered(reply: Reply) -> Answer:
    """The answer in `{"result": …}`. Raises Unavailable where OPA failed, PolicyUnclear for whatever else it says, undefined included."""
    if reply.status != 200:
        raise Unavailable(what="OPA", cause=f"it answered with status {reply.status}{HINTS.get(reply.status, '')}")
    envelope = _envelope(reply)
    if "result" not in envelope:
        raise unclear("undefined: no rule answers this question; give the entry point a default")
    return answer(envelope["result"], _revision(envelope.get("provenance", {})))


def _envelope(reply: Reply) -> Mapping[str, Any]:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise unclear("not said to be JSON: somebody other than OPA may have answered")
    if len(reply.body) > MAX_BODY:
        raise unclear(f"longer than {MAX_BODY} bytes")
    envelope = read(reply.body)
    if not isinstance(envelope, dict):
        raise unclear("not an object")
    if surplus := sorted(envelope.keys() - ENVELOPE):
        raise unclear(f"more than a decision: {', '.join(surplus)[:300]}")
    return envelope


def _revision(provenance: object) -> str:
    """The bundles that decided, by name, each with its revision; raises PolicyUnclear."""
    bundles = provenance.get("bundles", {}) if isinstance(provenance, dict) else None
    if not isinstance(bundles, dict) or not all(isinstance(bundle, dict) for bundle in bundles.values()):
        raise unclear("its provenance is not OPA's")
    named = ", ".join(f"{name}={bundle['revision']}" for name, bundle in sorted(bundles.items()) if bundle.get("revision"))
    if len(named) > 1000 or not named.isprintable():
        raise unclear("the bundles' revisions are not a short line of text")
    return named or UNVERSIONED
