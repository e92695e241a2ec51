"""Public test vectors of JOSE, at the layer that they are about: the signature and the keys, whatever is signed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from cambist import CredentialMalformed
from cambist.compact import base64url
from cambist.errors import Refusal
from cambist.jwk import KeySet
from cambist.jwts import payload

from .corpus import Case, Corpus, Expect
from .skips import Skipped, Why

_VERDICT: Mapping[str, Expect] = {"valid": "accept", "invalid": "refuse", "acceptable": "either"}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})


def wycheproof(corpus: Corpus) -> Corpus:
    """Every test of every file as a case."""
    files = sorted(path.name for path in corpus.folder.glob("*_test.json"))
    return replace(corpus, cases=tuple(case for name in files for case in _cases(name.removesuffix("_test.json"), corpus.document(name))))


def _cases(file: str, document: Mapping[str, Any]) -> Iterator[Case]:
    for group in document["testGroups"]:
        found = group.get("public") or group.get("private") or {}
        keys = found.get("keys", [found])
        for test in group["tests"]:
            jws = test.get("jws")
            category = _category(jws, keys) or str(group.get("comment", ""))
            # A JSON serialisation stands there as JSON: what would be sent is its text.
            text = json.dumps(jws) if isinstance(jws, dict) else jws
            yield Case(id=f"{file} {test['tcId']}", category=category, expect=_VERDICT[test["result"]], input={"keys": keys, "jws": text})


def _category(jws: object, keys: Sequence[Mapping[str, Any]]) -> str | None:
    """What a vector is about, where that is something in which we differ on purpose."""
    if not isinstance(jws, str) or jws.count(".") != 2:
        return None
    head, body, _ = jws.split(".")
    if not body:
        return "empty payload"
    with suppress(CredentialMalformed, ValueError, AttributeError):
        algorithm = json.loads(base64url(head)).get("alg")
        if all(key.get("alg", algorithm) != algorithm for key in keys):
            return "key for another algorithm"
    return None


def cookbook(corpus: Corpus) -> Corpus:
    """The positive vectors of RFC 7520 and its like."""
    return replace(corpus, cases=tuple(_recipes(corpus)))


def _recipes(corpus: Corpus) -> Iterator[Case]:
    for path in sorted(corpus.folder.rglob("*.json")):
        name = path.relative_to(corpus.folder).as_posix()
        document = corpus.document(name)
        given, output = document.get("input", {}), document.get("output", {})
        key = given.get("key", {})
        keys = [key] if isinstance(key, dict) else []
        kind = "jws" if "jws" in name or "rfc7797" in name else "jwk" if name.startswith("jwk/") else "jwe"
        if kind == "jwk":
            keys = [document]
        yield Case(
            id=name,
            category=kind,
            expect="accept",
            input={"keys": keys, "jws": output.get("compact"), "alg": given.get("alg"), "kind": kind},
        )


def judged(case: Case) -> bool:
    """The signature by the keys of the case. Raises Skipped."""
    entries, jws, kind = case.input["keys"], case.input["jws"], case.input.get("kind", "jws")
    if kind == "jwe" or (kind == "jws" and jws is None and "alg" not in case.input):
        raise Skipped(Why.ENCRYPTION)
    if entries and all(entry.get("kty") == "oct" for entry in entries):
        raise Skipped(Why.SYMMETRIC)
    if kind == "jwk":
        return bool(KeySet.of({"keys": [_public(entry) for entry in entries]}).keys)
    if jws is None or (case.input.get("kind") and ".." in jws):
        raise Skipped(Why.NO_FUNCTION)  # JSON serialisation and detached content: nothing of ours reads them
    algorithm = case.input.get("alg")
    keys = KeySet.of({"keys": [_public(entry) for entry in entries]}, **({"rsa": algorithm} if algorithm else {}))
    try:
        payload(jws, keys)
    except Refusal:
        return False
    return True


def _public(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Some vectors have private keys only; we are never given one."""
    return {name: value for name, value in entry.items() if name not in _PRIVATE}
