"""A token drawn as a tree: who acts for whom, for whom it is, bound to what, until when. Of its claims nothing is believed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from cambist.compact import Compact
from cambist.legible import legible

from .oddities import moment, oddities

KINDS = {
    "at+jwt": "access token (RFC 9068)",
    "jwt": "JWT",
    "dpop+jwt": "DPoP proof (RFC 9449)",
    "client-authentication+jwt": "client assertion (RFC 7523)",
    "oauth-id-jag+jwt": "identity assertion of another domain (ID-JAG)",
    "wit+jwt": "workload identity token (WIMSE)",
    "wpt+jwt": "workload proof token (WIMSE)",
    "secevent+jwt": "security event (RFC 8417)",
    "logout+jwt": "logout token",
    "txntoken+jwt": "transaction token",
    "token-introspection+jwt": "introspection response (RFC 9701)",
}
"""What a token says it is, by its `typ`."""
TOLD = frozenset({"iss", "sub", "act", "may_act", "aud", "client_id", "azp", "cnf", "exec", "scope", "scp", "iat", "nbf", "exp", "jti"})
OURS = {"use": "mandate", "zone_id": "zone", "td": "trust domain", "txn": "transaction", "jti": "id"}
BINDINGS = {
    "jkt": "a key, by DPoP or a workload proof (thumbprint {})",
    "x5t#S256": "a client certificate (thumbprint {})",
    "jwk": "the key that stands in it",
    "kid": "a key called {}",
}
"""What `cnf` binds a token to (RFC 7800, RFC 8705, RFC 9449)."""
MOST = 300
"""The longest text of one branch, in characters."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of the tree, and what hangs from it."""

    name: str
    text: str
    beneath: Sequence[Branch] = field(default=())


def drawn(token: str, now: float, verified: str | None = None) -> Iterator[str]:
    """The lines of the tree; `verified` says by what its signature was. Raises CredentialMalformed for what is no compact JWS."""
    compact = Compact.parse(token)
    header = compact.header
    typ = str(header.get("typ", "JWT")).lower().removeprefix("application/")
    kind = KINDS.get(typ, f"token of the kind {typ}")
    yield legible(f"{kind}, signed {header.get('alg', 'by no algorithm')} by key {header.get('kid', 'without a name')}", MOST)
    yield verified or "Nothing was verified: whoever wrote this could have written anything."
    yield from _lines(list(branches(compact.claims, now)) + _odd(compact, now))


def branches(claims: Mapping[str, Any], now: float) -> Iterator[Branch]:
    """What the claims say, in the order of who, for whom, what, and until when."""
    yield from _who(claims)
    if "aud" in claims:
        yield Branch("meant for", _text(claims["aud"]))
    if (client := claims.get("client_id", claims.get("azp"))) is not None:
        yield Branch("asked for by", _text(client))
    if (scope := claims.get("scope", claims.get("scp"))) is not None:
        yield Branch("scope", _text(scope))
    yield from _bound(claims)
    yield from (Branch(name, _when(claims[claim], now)) for claim, name in TIMES.items() if claim in claims)
    yield from (Branch(name, _text(claims[claim])) for claim, name in OURS.items() if claim in claims)
    yield from (Branch(name, _text(value)) for name, value in claims.items() if name not in {*TOLD, *OURS})


TIMES = {"iat": "issued", "nbf": "valid from", "exp": "valid until"}


def _who(claims: Mapping[str, Any]) -> Iterator[Branch]:
    """The subject beneath all who act for it, the latest on top; each acts for the one beneath."""
    subject = Branch("subject", _text(claims.get("sub", "nobody")), [Branch("vouched by", _text(claims.get("iss", "nobody")))])
    yield _acting(claims.get("act"), subject)
    if isinstance(may := claims.get("may_act"), dict):
        yield Branch("may act", _party(may))


def _acting(act: object, subject: Branch) -> Branch:
    actors: list[str] = []
    while isinstance(act, dict):
        actors.append(_party(act))
        act = act.get("act")
    tree = Branch("for", subject.text, subject.beneath) if actors else subject
    for place, actor in reversed(list(enumerate(actors))):
        tree = Branch("for" if place else "actor", actor, [tree])
    return tree


def _party(party: Mapping[str, Any]) -> str:
    issuer = party.get("iss")
    return f"{_text(party.get('sub', 'nobody'))}{'' if issuer is None else f' of {_text(issuer)}'}"


def _bound(claims: Mapping[str, Any]) -> Iterator[Branch]:
    cnf, action = claims.get("cnf"), claims.get("exec")
    if isinstance(cnf, dict):
        for name, value in cnf.items():
            yield Branch("bound to", _text(BINDINGS.get(name, f"{name} {{}}").format(_text(value))))
    elif cnf is not None:
        yield Branch("bound to", _text(cnf))
    if isinstance(action, dict):
        body = "and this very body " if action.get("payload_hash") else ""
        yield Branch("good for", _text(f"{action.get('htm')} {action.get('htu')} {body}once"))


def _odd(compact: Compact, now: float) -> list[Branch]:
    found = [Branch("!", legible(said, MOST)) for said in oddities(compact, now)]
    return [Branch("does not fit", f"{len(found)} of what stands in it", found)] if found else []


# ── lines ───────────────────────────────────────────────────────────────────────────────────────────────


def _lines(tree: Sequence[Branch], indent: str = "") -> Iterator[str]:
    for place, branch in enumerate(tree):
        last = place == len(tree) - 1
        yield f"{indent}{'└' if last else '├'}── {branch.name:<13} {branch.text}".rstrip()
        yield from _lines(branch.beneath, indent + ("    " if last else "│   "))


def _text(value: object) -> str:
    """A claim as one line that steers no terminal."""
    match value:
        case str():
            return legible(value, MOST)
        case list() if all(isinstance(item, str) for item in value):
            return legible(", ".join(value), MOST)
    return legible(msgspec.json.encode(value).decode(), MOST)


def _when(value: object, now: float) -> str:
    if (seconds := moment(value)) is None:
        return _text(value)
    at = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{at} ({distance(seconds - now)})"


def distance(seconds: float) -> str:
    """How far something is from now, in the two largest units that say it."""
    left = round(abs(seconds))
    parts: list[str] = []
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size or (name == "s" and not parts):
            parts.append(f"{left // size} {name}")
            left %= size
    told = " ".join(parts[:2])
    return f"in {told}" if seconds > 0 else f"{told} ago"
