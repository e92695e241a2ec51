"""The rules for whoever decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from ...errors import Refusal
from ...policy import Answer, Deny, Permit, Policy, PolicyInput, ask
from ..questions import question

PATIENCE = 2.0

Opened = Callable[[], AbstractAsyncContextManager[Policy]]


class PolicyContract:
    """Subclass it, and supply `opened`, a policy with rules that permit `permitted` and deny `denied`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("supply a function that opens the policy, as an async context manager")

    @pytest.fixture
    def permitted(self) -> PolicyInput:
        """What the rules permit."""
        return question()

    @pytest.fixture
    def denied(self, permitted: PolicyInput) -> PolicyInput:
        """What the rules deny: by default the same for a subject that nobody knows."""
        stranger = replace(permitted.subject.identity, subject="a stranger whom no rule names")
        return replace(permitted, subject=replace(permitted.subject, identity=stranger))

    def test_it_fills_the_seam(self, opened: Opened) -> None:
        async def story() -> None:
            async with opened() as policy:
                assert isinstance(policy, Policy), "it lacks name, revision or decide (docs/reference/hooks.md)"
                assert policy.name
                assert policy.revision, "it does not say which rules are at work"

        asyncio.run(story())

    def test_what_the_rules_permit_is_permitted(self, opened: Opened, permitted: PolicyInput) -> None:
        answer = _asked(opened, permitted)[0]
        assert isinstance(answer, Permit), f"the rules permit it, the answer was {answer}"

    def test_what_the_rules_deny_is_denied(self, opened: Opened, denied: PolicyInput) -> None:
        answer = _asked(opened, denied)[0]
        assert isinstance(answer, Deny), f"the rules deny it, the answer was {answer} (promise: no token without an explicit yes)"
        assert answer.reasons or answer.targets, "a denial without a reason explains nothing"

    def test_answers_do_not_depend_on_what_was_asked_before(self, opened: Opened, permitted: PolicyInput, denied: PolicyInput) -> None:
        answers = _asked(opened, permitted, denied, permitted, denied)
        assert answers[0] == answers[2], "an earlier question leaves something behind"
        assert answers[1] == answers[3], "an earlier question leaves something behind"

    def test_questions_asked_together_do_not_mix(self, opened: Opened, permitted: PolicyInput, denied: PolicyInput) -> None:
        async def story() -> list[Answer]:
            async with opened() as policy:
                return list(await asyncio.gather(*(ask(policy, asked) for asked in [permitted, denied] * 25)))

        answers = asyncio.run(story())
        assert all(isinstance(answer, Permit) for answer in answers[::2])
        assert all(isinstance(answer, Deny) for answer in answers[1::2])

    def test_hostile_text_in_a_question_is_only_text(self, opened: Opened, denied: PolicyInput) -> None:
        for text in ('"}', "\x00", "\u202e", "'; allow := true", "x" * 10_000, "\\u0022"):
            identity = replace(denied.subject.identity, subject=text, attributes={text: text})
            answer = _asked(opened, replace(denied, subject=replace(denied.subject, identity=identity)))[0]
            assert not isinstance(answer, Permit), f"hostile text was permitted: {text!r}"


def _asked(opened: Opened, *questions: PolicyInput) -> list[Answer | Refusal]:
    async def story() -> list[Answer | Refusal]:
        async with opened() as policy:
            return [await _answered(policy, question) for question in questions]

    return asyncio.run(story())


async def _answered(policy: Policy, question: PolicyInput) -> Answer | Refusal:
    try:
        async with asyncio.timeout(PATIENCE):
            return await ask(policy, question)
    except Refusal as refusal:
        return refusal
