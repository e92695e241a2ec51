"""Sets of whole requests to the token endpoint, with placeholders that are minted for each case."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Any

from cambist.compact import Compact
from cambist.testing import Forge

from .corpus import Case, Corpus
from .skips import Skipped, Why
from .stage import AUD, CLIENT, DENIED, FORM_PATH, HERE, Stage, application, asserted, document, form
from .verbs import Item
from .wire import FORM, Pairs, Reply, Request

SUBJECT, ACTOR, MAX_CHAIN = "workload-1", "agent-1", 5
_PLACEHOLDER = re.compile(r"\$[A-Z][A-Z_]{2,}")
_LARGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Minted:
    """What stands for the placeholders in one case: each once, whatever it is used for."""

    forge: Forge
    client: Forge
    delegating: bool
    values: dict[str, str] = field(default_factory=dict)

    def filled(self, text: str) -> str:
        """Raises Skipped for a placeholder that nobody knows."""
        return _PLACEHOLDER.sub(lambda found: self._value(found[0]), text)

    def everywhere(self, value: Any) -> Any:
        """The same in every text of a document."""
        if isinstance(value, Mapping):
            return {name: self.everywhere(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.everywhere(inner) for inner in value]
        return self.filled(value) if isinstance(value, str) else value

    def _value(self, name: str) -> str:
        if name not in self.values:
            self.values[name] = self._mint(name)
        return self.values[name]

    def _mint(self, name: str) -> str:
        now = int(self.forge.clock())
        match name:
            case "$SUBJECT":
                # Decision 4: where an actor is wanted, the subject's token names it.
                return self.forge.jwt(sub=SUBJECT, **({"may_act": {"sub": ACTOR}} if self.delegating else {}))
            case "$ACTOR":
                return self.forge.jwt(sub=ACTOR)
            case "$SUBJECT_MAY_ACT_OTHER":
                return self.forge.jwt(sub=SUBJECT, may_act={"sub": "somebody-else"})
            case "$SUBJECT_WITH_ACT":
                return self.forge.jwt(sub=SUBJECT, act={"sub": "agent-0"})
            case "$SUBJECT_MAX_DEPTH":
                return self.forge.jwt(sub=SUBJECT, act=_nested(MAX_CHAIN))
            case "$EXPIRED":
                return self.forge.jwt(iat=now - 600, exp=now - 1)
            case "$ASSERTION":
                return asserted(self.client)
            case "$NONCE":
                return secrets.token_urlsafe(18)
        raise Skipped(Why.INPUT, f"{name} is no placeholder that is known")


def _nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"act": _nested(depth - 1)} if depth > 1 else {}
    return {"sub": f"agent-chain-{depth}", **inner}


@dataclass(frozen=True, slots=True)
class Requests:
    """`input.form`, `input.raw_body_b64` or, for the JSON dialect, `input.json`; and how HTTP carries it."""

    corpus: Corpus
    stage: Stage
    key: str = "form"
    forges: dict[str, Forge] = field(default_factory=dict)

    def settings(self) -> Mapping[str, Any]:
        subject, client = self.stage.forge(), self.stage.forge(CLIENT)
        self.forges.update(subject=subject, client=client)
        more: dict[str, Any] = {"applications": {CLIENT: application(client)}, "max_chain": MAX_CHAIN}
        return self.stage.settings([self.stage.trusted(subject)], **more)

    def requests(self, case: Case) -> Callable[[Item], Request]:
        delegating = case.expect == "accept" and "$ACTOR" in repr(case.input)
        minted = Minted(self.forges["subject"], self.forges["client"], delegating, {"$AUD": AUD, "$AUD_DENIED": DENIED})
        return lambda item: request(item, minted)

    def promised(self, case: Case, reply: Reply) -> Iterator[str]:
        """Host and X-Forwarded-* change no issuer, no audience and no URL (decision 29)."""
        claims = Compact.parse(reply.document()["access_token"]).claims
        if claims["iss"] != HERE or claims["aud"] not in (AUD, [AUD]) or b"evil.test" in reply.body:
            yield f"issued by {claims['iss']!r} for {claims['aud']!r}"


def request(item: Item, minted: Minted) -> Request:
    """One item as a request. Raises Skipped."""
    made = _body(item, minted)
    if "content_type" in item:
        made = replaced(made, headers=[("content-type", item["content_type"]), *_without(made.headers, "content-type")])
    headers: list[tuple[str, str | None]] = [(name, value and minted.filled(value)) for name, value in item.get("headers", ())]
    if "headers_repeat" in item:
        name, value, times = item["headers_repeat"]
        headers += [(name, value)] * times
    return replaced(
        made,
        method=item.get("method", "POST"),
        path=item.get("path", made.path),
        query=item.get("query", ""),
        headers=[*(pair for pair in made.headers if pair[0] not in {name.lower() for name, _ in headers}), *headers],
        secrets=(*made.secrets, *(value for name, value in headers if value and name.lower() == "authorization")),
    )


def _body(item: Item, minted: Minted) -> Request:
    if "json" in item:
        return document(minted.everywhere(item["json"]))
    if "raw_body_b64" in item:
        return Request(path=FORM_PATH, body=base64.b64decode(item["raw_body_b64"]))
    if "form" not in item:
        raise Skipped(Why.INPUT, "neither form nor raw_body_b64 nor json")
    pairs = [(name, minted.filled(value)) for name, value in item["form"]]
    if "pad" in item:
        pad = item["pad"]
        if pad["count"] > _LARGEST:
            raise Skipped(Why.INPUT, f"more than {_LARGEST} bytes of padding")
        pairs.append((pad["name"], pad["char"] * pad["count"]))
    return form(pairs)


def _without(headers: Pairs, name: str) -> list[tuple[str, str | None]]:
    return [pair for pair in headers if pair[0].lower() != name]


__all__ = ["FORM", "Minted", "Requests", "request"]
