"""Families of attacks, played anew against each plugin that takes JWTs of a kind: with that plugin enabled, and tokens as it wants them.

The tokens of a set are signed with keys that nobody here has. So where a plugin asks for claims that they lack, an issuer of the test's own
signs what it asks for, and then the precisely wrong ones of the same family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cambist.compact import Compact
from cambist.identifier import plain
from cambist.testing import AccessTokenForge, EntraForge, Forge, GoogleForge, IdTokenForge, KubernetesForge, MovableClock
from cambist.token_type import ACCESS_TOKEN, ID_TOKEN, KUBERNETES_SA, OWN
from cambist.zone import TOKEN_EXCHANGE

from .corpus import Case, Corpus, Expect
from .skips import Skipped, Why
from .stage import AUD, HERE, ISSUER, Stage, form
from .tokens import Tokens
from .verbs import Item
from .wire import Reply, Request

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One plugin: an issuer for it, its settings, whose identities it proves, and the claim that says about whom a token is."""

    plugin: str
    token_type: str
    forge: Callable[[MovableClock], Forge]
    settings: Callable[[Forge, str], Table]
    """Of an issuer whose keys are at a URL."""
    entries: Callable[[Mapping[str, Table]], Table] | None = None
    """Of issuers of a set, by name, as `jwt` would be given them; None where its tokens lack what this plugin asks for."""
    free: bool = False
    """Whether an issuer may call its subjects as it likes; else each has a form, and what has another is refused."""
    about: str = "sub"


def _listed(table: Table, issuers: Mapping[str, Table]) -> Table:
    return {"issuers": [{**entry, **table} for entry in issuers.values()]}


def _issuers(table: Table, forge: Forge, url: str) -> Table:
    return {"issuers": [{"issuer": forge.issuer, "jwks_url": url, "audience": [HERE], **table}]}


def _tenant(forge: Forge, url: str) -> Table:
    assert isinstance(forge, EntraForge)
    return {"audience": [HERE], "tenants": [{"id": forge.tenant, "jwks_url": url}]}


OLDER = {"types": ["at+jwt", "JWT"]}
"""Of access tokens from before RFC 9068, as those of the sets are."""
GROUNDS: Mapping[str, Ground] = {
    ground.plugin: ground
    for ground in (
        Ground(
            plugin="oidc",
            token_type=ID_TOKEN,
            forge=partial(IdTokenForge, ISSUER, HERE),
            settings=partial(_issuers, {}),
            entries=partial(_listed, {}),
            free=True,
        ),
        Ground(
            plugin="access-token",
            token_type=ACCESS_TOKEN,
            forge=partial(AccessTokenForge, ISSUER, HERE),
            settings=partial(_issuers, {}),
            entries=partial(_listed, OLDER),
            free=True,
        ),
        Ground(
            plugin="kubernetes",
            token_type=KUBERNETES_SA,
            forge=partial(KubernetesForge, HERE),
            settings=lambda forge, url: {"clusters": [{"issuer": forge.issuer, "jwks_url": url, "audience": [HERE]}]},
        ),
        Ground(
            plugin="gcp",
            token_type=f"{OWN}gcp-identity-token",
            forge=partial(GoogleForge, HERE),
            settings=lambda _, url: {"audience": [HERE], "projects": ["acme-prod"], "jwks_url": url},
        ),
        Ground(
            plugin="azure",
            token_type=f"{OWN}azure-managed-identity",
            forge=partial(EntraForge, HERE),
            settings=_tenant,
            about="oid",
        ),
    )
}
ENTRA = "https://login.microsoftonline.com/"
"""Whatever version its tokens are of, the identities of a tenant are of one issuer."""


def variants(corpus: Corpus) -> Iterator[Corpus]:
    """The set itself and, where it is of a family that fits, the same against each plugin."""
    yield corpus
    for name, ground in GROUNDS.items():
        if corpus.kind == "jose-attacks":
            if ground.entries is not None:
                yield replace(corpus, name=f"{corpus.name} {name}", kind=f"tokens {name}")
            yield replace(corpus, name=f"forged {name}", kind=f"forged {name}", cases=tuple(_forged(ground, corpus.at)))
        if corpus.kind == "workload-identifiers":
            yield replace(corpus, name=f"identifiers {name}", kind=f"subjects {name}", cases=tuple(_subjects(ground, corpus)))


def enabled(stage: Stage, ground: Ground, table: Table, issuers: Iterable[str]) -> dict[str, Any]:
    """The settings of the stage, with this plugin in place of `jwt`."""
    settings = stage.settings([{"issuer": name} for name in issuers])
    plugins = {name: one for name, one in settings["plugins"].items() if name != "jwt"}
    return {**settings, "authenticates": [ground.token_type], "plugins": {**plugins, ground.plugin: table}}


def exchanged(ground: Ground, token: str) -> Request:
    pairs = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": ground.token_type, "audience": AUD}
    return form(pairs.items())


# ── the tokens of a set ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PluginTokens(Tokens):
    """The tokens of a set as they are, sent as what this plugin takes."""

    ground: Ground = GROUNDS["oidc"]

    def settings(self) -> Mapping[str, Any]:
        context = self.corpus.context
        assert self.ground.entries is not None
        issuers = {name: self._issuer(name, trust) for name, trust in context["issuers"].items()}
        more = {"max_token": context["max_token_bytes"]} if "max_token_bytes" in context else {}
        return {**enabled(self.stage, self.ground, self.ground.entries(issuers), list(issuers)), **more}

    def requests(self, case: Case) -> Callable[[Item], Request]:
        def request(item: Item) -> Request:
            if item.get("profile", "oidc") != "oidc":
                raise Skipped(Why.PLUGIN)
            return exchanged(self.ground, item["token"])

        return request


# ── what an issuer of the test's own signs ──────────────────────────────────────────────────────────────


class Forged:
    """Good tokens of a plugin's own kind, and changed ones: by the rule that one breaks, or by whom it says it is about."""

    key = "token"

    def __init__(self, ground: Ground, corpus: Corpus, stage: Stage) -> None:
        self._ground, self._stage = ground, stage
        self._forge = ground.forge(MovableClock(stage.at))
        self._wrong = self._forge.wrong(stage.folder)
        tenant = getattr(self._forge, "tenant", None)
        self._issuer = f"{ENTRA}{tenant}/v2.0" if tenant else self._forge.issuer

    def settings(self) -> Mapping[str, Any]:
        url = self._stage.publisher.publish(self._forge.jwks)
        return enabled(self._stage, self._ground, self._ground.settings(self._forge, url), [self._issuer])

    def requests(self, case: Case) -> Callable[[Item], Request]:
        return lambda item: exchanged(self._ground, self._token(item))

    def _token(self, item: Item) -> str:
        if (rule := item.get("rule")) is not None:
            return self._wrong[rule]
        return self._forge.jwt(**{self._ground.about: item["subject"]}) if "subject" in item else self._forge.jwt()

    def promised(self, case: Case, reply: Reply) -> Iterator[str]:
        """Whatever an issuer calls its subject, it comes out within that issuer's names, and is that very text again."""
        minted = Compact.parse(reply.document()["access_token"]).claims["sub"]
        match minted.split("/")[3:]:
            case ["issuer", issuer, "subject", subject] if plain(issuer) == self._issuer:
                if plain(subject) == case.input.get("subject", plain(subject)):
                    return
        yield f"the subject became {minted!r}"


def _forged(ground: Ground, at: float) -> Iterator[Case]:
    yield Case(id="good", category="control", expect="accept", input={})
    for rule in ground.forge(MovableClock(at)).wrong():
        yield Case(id=rule, category="forged", expect="refuse", input={"rule": rule}, http=[400, 401])


def _subjects(ground: Ground, corpus: Corpus) -> Iterator[Case]:
    """Every identifier of the set, as what an issuer calls somebody who is not of its own origin."""
    yield Case(id="good", category="control", expect="accept", input={})
    expect: Expect = "either" if ground.free else "refuse"
    for case in corpus.cases:
        for name in ("value", "subject", "a", "b"):
            if isinstance(text := case.input.get(name), str):
                yield Case(id=f"{case.id} {name}", category=case.category, expect=expect, input={"subject": text})
