"""The contract of policies catches each fault that it is there for, and says what is wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cambist import Answer, Deny, Permit, Policy, PolicyInput, Unavailable
from cambist.testing import PolicyContract, question
from cambist.testing.contracts.policy import Opened

KNOWN = question().subject.identity.subject


class Sound:
    """Permits what is known, and nothing else."""

    name, revision = "sound", "1"

    async def decide(self, question: PolicyInput) -> Answer:
        return Permit(claims={"blast_radius": "low"}) if question.subject.identity.subject == KNOWN else Deny(reasons=("nobody knows it",))


class PermitsNothing(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        return Deny(reasons=("no",))


class PermitsEverything(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        return Permit()


class SaysWhoItIs(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        return Permit(claims={"sub": "root", "blast_radius": "low"})


class DeniesWithoutAReason(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        return Deny()


class Remembers(Sound):
    def __init__(self) -> None:
        self.seen = 0

    async def decide(self, question: PolicyInput) -> Answer:
        self.seen += 1
        return Permit(ttl=self.seen)


class Mixes(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        self.question = question
        await asyncio.sleep(0)
        return await super().decide(self.question)


class ChangesAttributes(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        question.subject.identity.attributes["seen"] = True  # type: ignore[index]  # a mapping that can be changed all the same
        return await super().decide(question)


class BelievesText(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        return Permit() if "allow := true" in question.subject.identity.subject else await super().decide(question)


class FailsOnText(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        question.subject.identity.subject.encode()
        return await super().decide(question)


class Blocks(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        time.sleep(0.1)
        return Permit()


class Answers(Sound):
    async def decide(self, question: PolicyInput) -> Any:
        return True


class NeverAnswers(Sound):
    async def decide(self, question: PolicyInput) -> Answer:
        await asyncio.Event().wait()
        return Permit()


class IsUnfinished:
    name = "unfinished"

    def decide(self, question: PolicyInput) -> Answer:
        return Permit()


class HasNoRevision(Sound):
    revision = ""


FAULTS: list[tuple[type[Any], str, str]] = [
    (IsUnfinished, "it_fills_the_seam", "it lacks `revision`; `decide` is not `async def`"),
    (HasNoRevision, "it_fills_the_seam", "which rules are at work"),
    (PermitsNothing, "what_the_rules_permit_is_permitted", r"the answer was Deny\(reasons=\('no',\)"),
    (Answers, "what_the_rules_permit_is_permitted", r"a fault of the plugin .*raise cambist\.Unavailable when it cannot decide"),
    (NeverAnswers, "what_the_rules_permit_is_permitted", "none within 2 s"),
    (SaysWhoItIs, "what_the_rules_permit_is_permitted", r"it adds the claims \['sub'\]"),
    (PermitsEverything, "what_the_rules_deny_is_denied", "nothing without a yes"),
    (DeniesWithoutAReason, "what_the_rules_deny_is_denied", "a denial without a reason"),
    (Remembers, "answers_do_not_depend_on_what_was_asked_before", "an earlier question leaves something behind"),
    (Mixes, "questions_asked_together_do_not_mix", "some that deserve Permit were answered"),
    (ChangesAttributes, "a_question_is_not_changed", "it changed the question"),
    (BelievesText, "hostile_text_in_a_question_is_only_text", "'; allow := true\" the answer was Permit"),
    (FailsOnText, "hostile_text_in_a_question_is_only_text", "the answer was a fault of the plugin .UnicodeEncodeError"),
    (Blocks, "it_does_not_hold_the_event_loop", r"for 1\d\d ms: put blocking work into asyncio.to_thread"),
]
RULES = [name for name in vars(PolicyContract) if name.startswith("test_") and name != "test_what_it_cannot_reach_is_said"]


def opening(policy: type[Any]) -> Opened:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Policy]:
        yield policy()

    return opened


def check(rule: str, policy: type[Any]) -> None:
    """One rule of the contract, of the policy."""
    permitted, contract = question(), PolicyContract()
    denied = PolicyContract.denied.__wrapped__(contract, permitted)  # type: ignore[attr-defined]  # the function below the fixture
    asked = {"opened": opening(policy), "permitted": permitted, "denied": denied}
    function = getattr(contract, rule)
    function(**{name: value for name, value in asked.items() if name in function.__code__.co_varnames})


@pytest.mark.parametrize("rule", RULES)
def test_the_contract_finds_nothing_in_a_sound_policy(rule: str) -> None:
    check(rule, Sound)


@pytest.mark.row("P-vendor")
@pytest.mark.parametrize(("faulty", "rule", "said"), FAULTS, ids=[f"{faulty.__name__}: {rule}" for faulty, rule, _ in FAULTS])
def test_the_contract_catches_a_fault_and_says_what_is_wrong(faulty: type[Any], rule: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check(f"test_{rule}", faulty)


def test_every_rule_of_the_contract_is_shown_to_catch_something() -> None:
    assert {f"test_{rule}" for _, rule, _ in FAULTS} == set(RULES)


def test_the_contract_catches_a_policy_that_guesses() -> None:
    class Gone(Sound):
        async def decide(self, question: PolicyInput) -> Answer:
            raise Unavailable(what="the rules", cause="nobody answers")

    PolicyContract().test_what_it_cannot_reach_is_said([opening(Gone)], question())
    with pytest.raises(AssertionError, match=r"it cannot decide, and the answer was Deny.*raise cambist\.Unavailable"):
        PolicyContract().test_what_it_cannot_reach_is_said([opening(PermitsNothing)], question())


class TestTheLeastThatAVendorSupplies(PolicyContract):
    """Everything but `opened` has a default that is good for rules about workloads."""

    @pytest.fixture
    def opened(self) -> Opened:
        return opening(Sound)
