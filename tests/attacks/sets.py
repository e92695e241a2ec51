"""Which set is played how. A set that people bring is known by its name, or else by what its cases look like."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from . import dialogue, functions, jose, policies, strings
from .assertions import Assertions
from .corpus import Corpus
from .dialogue import Dialogue, Run
from .plugins import GROUNDS, Forged, Ground, PluginTokens
from .requests import Requests
from .skips import Skipped, Why
from .stage import Stage
from .tally import Tally
from .tokens import Tokens

Play = Callable[[Corpus, Run], Awaitable[Tally]]


def _over_http(make: Callable[[Corpus, Stage], Dialogue]) -> Play:
    return lambda corpus, run: dialogue.play(corpus, make, run)


def _by_function(judge: functions.Judge, cases: Callable[[Corpus], Corpus] = lambda corpus: corpus) -> Play:
    async def play(corpus: Corpus, run: Run) -> Tally:
        return functions.play(cases(corpus), judge, run)

    return play


async def _skipping(why: Why, corpus: Corpus, run: Run) -> Tally:
    tally = Tally(corpus.name)
    for _ in range(len(corpus.cases) or corpus.elsewhere):
        tally.skip(corpus.name, Skipped(why))
    return tally


def _tokens(ground: Ground, corpus: Corpus, stage: Stage) -> Dialogue:
    return PluginTokens(corpus, stage, ground=ground)


PLAYS: Mapping[str, Play] = {
    "jose-attacks": _over_http(Tokens),
    "client-assertions": _over_http(Assertions),
    "token-endpoint-requests": _over_http(Requests),
    "json-parsing": _by_function(functions.json_parsing),
    "workload-identifiers": _by_function(functions.workload_identifiers),
    "wycheproof-jose": _by_function(jose.judged, jose.wycheproof),
    "jose-cookbook": _by_function(jose.judged, jose.cookbook),
    "wycheproof-primitives": partial(_skipping, Why.LIBRARY),
    "naughty-strings": strings.play,
    "policy-results": policies.play,
    **{f"tokens {name}": _over_http(partial(_tokens, ground)) for name, ground in GROUNDS.items() if ground.entries},
    **{f"{kind} {name}": _over_http(partial(Forged, ground)) for name, ground in GROUNDS.items() for kind in ("forged", "subjects")},
    **{
        name: partial(_skipping, Why.PLUGIN)
        for name in ("dpop-proofs", "x509-svid", "x509-limbo", "mtls-header-spoof", "spiffe-testdata", "saml-attacks",
                     "saml-third-party", "aws-getcalleridentity", "aws-sigv4")
    },
}  # fmt: skip

_BY_INPUT: Mapping[str, str] = {
    "token": "jose-attacks",
    "answer": "policy-results",
    "wasm": "policy-results",
    "form": "token-endpoint-requests",
    "raw_body_b64": "token-endpoint-requests",
    "json": "token-endpoint-requests",
    "string": "naughty-strings",
    "b64": "json-parsing",
    "kind": "workload-identifiers",
}


def play_of(corpus: Corpus) -> Play:
    """How this set is played."""
    if found := PLAYS.get(corpus.kind) or PLAYS.get(corpus.folder.name):
        return found
    if "clients" in corpus.context:
        return PLAYS["client-assertions"]
    members = json.dumps([case.input for case in corpus.cases[:50]])
    looks = next((name for member, name in _BY_INPUT.items() if f'"{member}":' in members), None)
    return PLAYS[looks] if looks else partial(_skipping, Why.SET)
