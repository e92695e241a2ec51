"""A request as plain parts, a good one in each dialect, and everything that a few changes can make of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

from hypothesis import strategies as st

from cambist.testing import Forge, small_changes
from cambist.token_type import JWT, PAGE
from cambist.zone import TOKEN_EXCHANGE

TARGET = "https://api.target.example.com"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
PATHS = {FORM: "/oauth/2/token", JSON: "/v1/exchange/token"}
TARGETS = ("/oauth/2/token", "/v1/exchange/token", "/.well-known/jwks.json", "/health", "/nowhere")


@dataclass(frozen=True)
class Request:
    """What is sent. `body` is what the members make, unless it was changed itself."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    members: tuple[tuple[str, Any], ...]
    kind: str
    body: bytes | None = None

    @property
    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.kind == FORM:
            return urlencode([(name, _text(value)) for name, value in self.members], errors="surrogatepass").encode()
        pairs = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in self.members]  # a member can stand there twice
        return f"{{{','.join(pairs)}}}".encode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def good(forge: Forge, kind: str, token: str | None = None) -> Request:
    """Granted as it is."""
    members = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": token or forge.jwt(),
        "subject_token_type": JWT,
        "audience": TARGET,
        "scope": "read write",
    }
    return Request("POST", PATHS[kind], (("content-type", kind),), tuple(members.items()), kind)


NAMES = (
    "grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "audience", "resource", "scope", "zone_id",
    "client_id", "application_id", "client_secret", "client_assertion", "client_assertion_type", "requested_token_type", "ttl_seconds",
    "execution_scope", "session_id", "challenge_id", "authorization_details",
)  # fmt: skip
CLAIMS = ("iss", "sub", "aud", "exp", "iat", "nbf", "jti", "act", "may_act", "cnf", "scope", "txn", "events")
HEADERS = ("content-type", "authorization", "dpop", "x-request-id", "accept", "x-forwarded-for", "client-cert", "traceparent")

plain = st.none() | st.booleans() | st.integers(-(10**12), 10**20) | st.floats() | st.text(max_size=40)
odd = st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=8)
texts = st.text(max_size=60) | st.sampled_from(
    ["", " ", "\x00", "\u202e", "a" * 5000, "https://", "javascript:alert(1)", *PAGE, JWT, "-1", "1e9"]
)
ascii_texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=80)


@dataclass(frozen=True)
class Source:
    """An issuer's good token and its wrong ones, made once: what is drawn must not depend on the time, nor on a random signature."""

    forge: Forge
    token: str
    wrong: tuple[str, ...]

    @classmethod
    def of(cls, forge: Forge) -> Source:
        return cls(forge, forge.jwt(), tuple(forge.wrong().values()))


@st.composite
def changed(draw: st.DrawFn, source: Source) -> Request:
    """A good request with one to three changes."""
    request = good(source.forge, draw(st.sampled_from([FORM, JSON])), source.token)
    for _ in range(draw(st.integers(1, 3))):
        request = draw(st.sampled_from(CHANGES))(draw, source, request)
    return request


def _value(draw: st.DrawFn, source: Source, request: Request) -> Request:
    at = draw(st.integers(0, len(request.members) - 1)) if request.members else 0
    value = draw(odd if request.kind == JSON else texts)
    return _with(request, at, [(request.members[at][0], value)]) if request.members else request


def _member(draw: st.DrawFn, source: Source, request: Request) -> Request:
    """Another one, perhaps for a second time."""
    pair = (draw(st.sampled_from(NAMES) | st.text(max_size=12)), draw(odd if request.kind == JSON else texts))
    return replace(request, members=(*request.members, pair))


def _missing(draw: st.DrawFn, source: Source, request: Request) -> Request:
    return _with(request, draw(st.integers(0, len(request.members) - 1)), []) if request.members else request


def _token(draw: st.DrawFn, source: Source, request: Request) -> Request:
    forge = source.forge
    claims = st.tuples(st.sampled_from(CLAIMS), odd.filter(_encodes)).map(lambda pair: forge.jwt(**{pair[0]: pair[1]}))
    header = st.tuples(st.sampled_from(["alg", "typ", "kid", "crit", "jku", "x5c", "b64"]), odd.filter(_encodes))
    token = draw(
        small_changes(source.token)
        | st.sampled_from(source.wrong)
        | claims
        | header.map(lambda pair: forge.jwt({pair[0]: pair[1]}))
        | texts
    )
    name = draw(st.sampled_from(["subject_token", "actor_token", "client_assertion"]))
    return replace(request, members=(*(pair for pair in request.members if pair[0] != name), (name, token)))


def _encodes(value: Any) -> bool:
    """What no JWT can hold at all is no claim: a lone surrogate has no UTF-8, NaN no JSON."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, UnicodeEncodeError):
        return False
    return "e" not in repr(value) or not isinstance(value, float)


def _header(draw: st.DrawFn, source: Source, request: Request) -> Request:
    pair = (draw(st.sampled_from(HEADERS)), draw(ascii_texts))
    return replace(request, headers=(*request.headers, pair))


def _line(draw: st.DrawFn, source: Source, request: Request) -> Request:
    method = draw(st.sampled_from(["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH", "BREW"]))
    query = quote_from_bytes(draw(st.binary(max_size=12)))
    return replace(request, method=method, path=f"{draw(st.sampled_from(TARGETS))}?{query}")


def _bytes(draw: st.DrawFn, source: Source, request: Request) -> Request:
    body, inserted = bytearray(request.content), draw(st.binary(max_size=8))
    at = draw(st.integers(0, len(body)))
    body[at : at + draw(st.integers(0, 4))] = inserted
    return replace(request, body=bytes(body[: draw(st.sampled_from([len(body), at]))]))


CHANGES = (_value, _member, _missing, _token, _header, _line, _bytes)


def _with(request: Request, at: int, pairs: Sequence[tuple[str, Any]]) -> Request:
    return replace(request, members=(*request.members[:at], *pairs, *request.members[at + 1 :]))
