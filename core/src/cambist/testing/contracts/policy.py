"""The rules for whoever decides."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager

import pytest

from ...errors import PluginFault, Refusal, Unavailable
from ...policy import Answer, Deny, Permit, Policy, PolicyInput, ask
from ...profiles import PROTECTED
from ...value import replace
from ..questions import question
from .patience import HOLD, PATIENCE, bounded, shortest_hold
from .seam import gaps

Opened = Callable[[], AbstractAsyncContextManager[Policy]]
HOSTILE = ('"}', "\x00", "\u202e", "'; allow := true", "x" * 10_000, "\\u0022", "\ud800", "__proto__", "*")


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

    @pytest.fixture
    def cut_off(self) -> Iterable[Opened]:
        """The same for policies that cannot reach their rules, or whoever decides for them; one for each way in which that can be."""
        return ()

    def test_it_fills_the_seam(self, opened: Opened) -> None:
        async def story() -> None:
            async with opened() as policy:
                lacking = gaps(policy, Policy)
                assert not lacking, f"{lacking} (docs/reference/hooks.md)"
                assert policy.name, "it has no name, and operators select it by name"
                assert policy.revision, "it does not say which rules are at work (`revision`)"

        asyncio.run(story())

    def test_what_the_rules_permit_is_permitted(self, opened: Opened, permitted: PolicyInput) -> None:
        answer = _asked(opened, permitted)[0]
        assert isinstance(answer, Permit), f"the rules permit it, the answer was {told(answer)}"
        claims = sorted(PROTECTED & answer.claims.keys())
        assert not claims, f"it adds the claims {claims}, which are not a policy's to say (docs/reference/claims.md)"

    def test_what_the_rules_deny_is_denied(self, opened: Opened, denied: PolicyInput) -> None:
        answer = _asked(opened, denied)[0]
        assert isinstance(answer, Deny), f"the rules deny it, the answer was {told(answer)} (SECURITY.md: nothing without a yes)"
        assert answer.reasons or answer.targets, "a denial without a reason explains nothing to whoever reads the ledger"

    def test_answers_do_not_depend_on_what_was_asked_before(self, opened: Opened, permitted: PolicyInput, denied: PolicyInput) -> None:
        answers = _asked(opened, permitted, denied, permitted, denied)
        assert answers[0] == answers[2], f"an earlier question leaves something behind: {told(answers[0])}, then {told(answers[2])}"
        assert answers[1] == answers[3], f"an earlier question leaves something behind: {told(answers[1])}, then {told(answers[3])}"

    def test_questions_asked_together_do_not_mix(self, opened: Opened, permitted: PolicyInput, denied: PolicyInput) -> None:
        async def story() -> list[object]:
            async with opened() as policy:
                return list(await asyncio.gather(*(_answered(policy, asked) for asked in [permitted, denied] * 25)))

        answers = asyncio.run(story())
        for wanted, of in ((Permit, answers[::2]), (Deny, answers[1::2])):
            others = {told(answer) for answer in of if not isinstance(answer, wanted)}
            assert not others, f"of fifty questions asked together some that deserve {wanted.__name__} were answered {others} (CWE-362)"

    def test_a_question_is_not_changed(self, opened: Opened, permitted: PolicyInput) -> None:
        before = copy.deepcopy(permitted.document())
        _asked(opened, permitted)
        assert permitted.document() == before, "it changed the question, which is what the ledger records"

    def test_hostile_text_in_a_question_is_only_text(self, opened: Opened, denied: PolicyInput) -> None:
        asked = []
        for text in HOSTILE:
            identity = replace(denied.subject.identity, subject=text, attributes={text: text})
            asked.append(replace(denied, subject=replace(denied.subject, identity=identity)))
        for text, answer in zip(HOSTILE, _asked(opened, *asked), strict=True):
            assert isinstance(answer, Deny | Unavailable), f"of a subject {text[:40]!r} the answer was {told(answer)} (CWE-74)"

    def test_it_does_not_hold_the_event_loop(self, opened: Opened, permitted: PolicyInput) -> None:
        """One service has one loop for everybody."""

        async def story() -> float:
            async with opened() as policy:
                return await shortest_hold(lambda: _answered(policy, permitted))

        with bounded():
            held = asyncio.run(story())
        assert held < HOLD, f"it held the event loop for {held * 1000:.0f} ms: put blocking work into asyncio.to_thread (CWE-400)"

    def test_what_it_cannot_reach_is_said(self, cut_off: Iterable[Opened], permitted: PolicyInput) -> None:
        for opened in cut_off:
            answer = _asked(opened, permitted)[0]
            assert isinstance(answer, Unavailable), f"it cannot decide, and the answer was {told(answer)}: raise cambist.Unavailable"


def _asked(opened: Opened, *questions: PolicyInput) -> list[object]:
    async def story() -> list[object]:
        async with opened() as policy:
            return [await _answered(policy, question) for question in questions]

    with bounded():
        return asyncio.run(story())


async def _answered(policy: Policy, question: PolicyInput) -> Answer | Refusal | TimeoutError:
    try:
        async with asyncio.timeout(PATIENCE):
            return await ask(policy, question)
    except (Refusal, TimeoutError) as error:
        return error


def told(answer: object) -> str:
    """What came of a question, for whoever wrote the policy."""
    if isinstance(answer, PluginFault):
        cause = answer.__cause__ or answer.facts.get("cause")
        return f"a fault of the plugin ({cause!r}): raise cambist.Unavailable when it cannot decide, and nothing else"
    if isinstance(answer, TimeoutError):
        return f"none within {PATIENCE:g} s"
    return f"{answer!r} {answer.facts}" if isinstance(answer, Refusal) else repr(answer)
