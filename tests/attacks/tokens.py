"""Sets of subject tokens: each token is exchanged by form, under the trust that the set's context describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cambist.compact import Compact
from cambist.identifier import plain

from .corpus import Case, Corpus
from .skips import Skipped, Why
from .stage import Stage, exchange
from .verbs import Item
from .wire import Reply, Request


@dataclass(frozen=True, slots=True)
class Tokens:
    """`input.token`, judged by `input.profile`."""

    corpus: Corpus
    stage: Stage
    key: str = "token"

    def settings(self) -> Mapping[str, Any]:
        context = self.corpus.context
        issuers = [self._issuer(name, trust) for name, trust in context["issuers"].items()]
        more = {"max_token": context["max_token_bytes"]} if "max_token_bytes" in context else {}
        return self.stage.settings(issuers, **more)

    def _issuer(self, name: str, trust: Mapping[str, Any]) -> dict[str, Any]:
        context = self.corpus.context
        entry = {"issuer": name, "jwks_url": self.stage.publisher.publish(trust["jwks"]), "audience": [context["audience"]]}
        given = {
            "leeway": context.get("clock_leeway_s"),
            "max_lifetime": context.get("max_token_lifetime_s"),
            "algorithms": trust.get("algs"),
        }
        return entry | {member: value for member, value in given.items() if value is not None}

    def requests(self, case: Case) -> Callable[[Item], Request]:
        def request(item: Item) -> Request:
            if item.get("profile", "oidc") != "oidc":
                raise Skipped(Why.PLUGIN)
            return exchange(item["token"])

        return request

    def promised(self, case: Case, reply: Reply) -> Iterator[str]:
        """The subject comes out namespaced by its issuer, and otherwise unmodified."""
        if isinstance(token := case.input.get("token"), str):
            claims, minted = Compact.parse(token.strip()).claims, Compact.parse(reply.document()["access_token"]).claims
            match minted["sub"].split("/")[3:]:
                case ["issuer", issuer, "subject", subject] if (plain(issuer), plain(subject)) == (claims["iss"], claims["sub"]):
                    return
            yield f"the subject became {minted['sub']!r}"
