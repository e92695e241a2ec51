"""Sets of client assertions: `input.form` completes a request for client credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cambist.zone import CLIENT_CREDENTIALS

from .corpus import Case, Corpus
from .stage import AUD, Stage, form
from .verbs import Item
from .wire import Reply, Request

HEADER = "__header__:"


@dataclass(frozen=True, slots=True)
class Assertions:
    """The applications of `context.clients`, at the issuer of `context.issuer`."""

    corpus: Corpus
    stage: Stage
    key: str = "form"

    def settings(self) -> Mapping[str, Any]:
        context = self.corpus.context
        applications = {
            name: {
                "jwks": client["jwks"],
                **({"algorithms": client["algs"]} if "algs" in client else {}),
                "grants": [CLIENT_CREDENTIALS],
                "default_target": AUD,
            }
            for name, client in context["clients"].items()
        }
        trusted = self.stage.trusted(self.stage.forge(audience=context["issuer"]))
        return self.stage.settings([trusted], here=context["issuer"], applications=applications)

    def requests(self, case: Case) -> Callable[[Item], Request]:
        def request(item: Item) -> Request:
            pairs = [(name, value) for name, value in item["form"] if not name.startswith(HEADER)]
            headers = [(name.removeprefix(HEADER), value) for name, value in item["form"] if name.startswith(HEADER)]
            grant = [] if any(name == "grant_type" for name, _ in pairs) else [("grant_type", CLIENT_CREDENTIALS)]
            return form([*grant, *pairs], headers=headers)

        return request

    def promised(self, case: Case, reply: Reply) -> Iterator[str]:
        yield from ()
