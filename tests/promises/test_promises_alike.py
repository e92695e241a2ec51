"""One decision, however it is asked and however the service was put together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Answer, DidNotStart, Validator, ZoneHost, hookimpl
from cambist.profiles import WORKLOAD_CLAIMS
from cambist.testing import AllowAll
from cambist.testing.trusting import Trusting

from .asking import RESOURCES, Recipe, parameters, recipes
from .drawing import denials, permits
from .stage import API, BADGE, DIALECTS, FORGE, Asked, Badges, BadgeValidator, claims, outcome, staged, whole

FRESH = {"jti", "txn"}
ONLY_JSON = {"td", "obo", *WORKLOAD_CLAIMS}


def decided(answer: Any) -> Mapping[str, Any]:
    """What was decided, without what is new each time or told in one dialect alone."""
    if answer.status_code != 200:
        return {"reason": outcome(answer), "role": answer.json()["details"].get("role")}
    body = answer.json()
    said = {name: value for name, value in claims(answer).items() if name not in FRESH | ONLY_JSON}
    return {**said, "expires_in": body["expires_in"], "granted": body.get("scope")}


@pytest.mark.row("J-scope")
@pytest.mark.row("J-audience")
@whole
@given(st.lists(recipes(), min_size=4, max_size=4), permits | permits | denials)
async def test_both_dialects_decide_alike(asked: list[Recipe], answer: Answer) -> None:
    async with staged(answer, resources=RESOURCES) as running:
        for recipe in asked:
            by_json, by_form = [decided(await Asked(running, dialect, recipe.members()).answer()) for dialect in DIALECTS]
            assert by_json == by_form


@whole
@given(st.sampled_from(("ann", "bob")), st.lists(parameters, min_size=4, max_size=4), st.sampled_from((None, "clerk")))
async def test_no_parameter_of_the_request_changes_whom_a_token_is_about(who: str, asked: list[dict[str, Any]], client: str | None) -> None:
    """I2: who it is about follows from the credential alone."""
    async with staged(resources=RESOURCES) as running:
        for more in asked:
            answer = await Asked(running, "json", Recipe("good", {"sub": who}, None, client, more).members()).answer()
            if answer.status_code == 200:
                assert claims(answer)["sub"] == f"wimse://sts.example.test/issuer/https_3a_2f_2fissuer.example.test/subject/{who}"


class Zoned:
    """The badges of one zone."""

    def __init__(self, zone: str) -> None:
        self.zone = zone

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
        if host.zone.id == self.zone:
            yield BadgeValidator()


PLUGINS: Mapping[str, Any] = {
    "trusting": Trusting(FORGE),
    "badges-a": Zoned("a"),
    "badges-default": Zoned("default"),
    "scripted": AllowAll(),
}
ZONES: Mapping[str, Any] = {"a": {"authenticates": [BADGE]}, "b": {"authenticates": []}}
PLACES = [(subject, zone) for subject in ("good", "badge") for zone in ("default", *ZONES)]
QUESTIONS = [Recipe(subject, {}, None, None, {"audience": API, "zone_id": zone}) for subject, zone in PLACES]
IN_ORDER: list[list[Mapping[str, Any]]] = []
"""What was decided in the order that came first."""


def shuffled(names: Sequence[str], of: Mapping[str, Any]) -> dict[str, Any]:
    return {name: of[name] for name in names}


async def decisions(plugins: Mapping[str, Any], zones: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the service decides of the same questions, put together in this order."""
    async with staged(modules=plugins, zones=zones) as running:
        return [decided(await Asked(running, "json", recipe.members()).answer()) for recipe in QUESTIONS]


@whole
@given(st.permutations(sorted(PLUGINS)), st.permutations(sorted(ZONES)))
async def test_the_order_of_plugins_and_zones_never_matters(plugins: list[str], zones: list[str]) -> None:
    found = await decisions(shuffled(plugins, PLUGINS), shuffled(zones, ZONES))
    assert [one.get("reason") for one in found] == [None, "client_required", "client_required", None, None, "token_type_unknown"]
    IN_ORDER[1:] = [found]
    assert IN_ORDER[0] == found


@whole
@given(st.permutations(["one", "two", "trusting", "scripted"]))
async def test_in_any_order_two_takers_of_one_type_keep_it_shut(order: list[str]) -> None:
    """U1: a credential has one taker, not a first one."""
    plugins = {"one": Badges(), "two": Badges(), "trusting": Trusting(FORGE), "scripted": AllowAll()}
    with pytest.raises(DidNotStart) as shut:
        async with staged(modules=shuffled(order, plugins)):
            raise AssertionError("it opened")
    (problem,) = shut.value.problems
    assert {"one", "two", BADGE} <= set(problem.split())
