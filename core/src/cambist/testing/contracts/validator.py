"""The rules for whoever judges credentials. The heart: every small change to a good one is refused."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ...check import Sample, State
from ...credential import Credential, Role
from ...errors import Unavailable
from ...hooks import CanDiagnose
from ...identity import Proven
from ...validator import Validator
from ...value import replace
from ..changes import plain_changes, small_changes
from ..clock import MovableClock
from ..service import ISSUER, open_sts
from .judging import LONG, Judge, diagnosed, everything, is_refused, told
from .offering import OfferedValidator
from .patience import HOLD
from .remembering import keeps
from .seam import gaps

TARGET = "https://api.example.test"


class _Tracked(str):
    """A text that can be seen to be forgotten."""

    __slots__ = ("__weakref__",)


class ValidatorContract:
    """Subclass it, and supply `validator` and `good`; `wrong`, `cut_off`, `secrets` and `clock` where there is something to say.

    Credentials are judged as in the service: by the guard around the validator, for a zone whose issuer is `audience`.
    """

    @pytest.fixture
    def clock(self) -> MovableClock:
        """The clock of the guard, and of the validator where it asks for the time; it stands at MovableClock's noon."""
        return MovableClock()

    @pytest.fixture
    def audience(self) -> str:
        """What a credential must be meant for."""
        return ISSUER

    @pytest.fixture
    def validator(self) -> Validator:
        raise NotImplementedError("supply the validator that is tested, as a fixture of this name")

    @pytest.fixture
    def good(self) -> Credential:
        raise NotImplementedError("supply a good credential, as a fixture of this name; one that is bound to a key, with its `possession`")

    @pytest.fixture
    def wrong(self) -> Mapping[str, str]:
        """Precisely wrong credentials, each by the rule that it breaks; `Forge.wrong()` makes them for JWTs."""
        return {}

    @pytest.fixture
    def cut_off(self) -> Iterable[Validator]:
        """For each thing that it asks (an issuer's keys, a store), a validator that cannot reach it; DeafHttp answers nobody."""
        return ()

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        """What the validator knows and must not tell."""
        return ()

    @pytest.fixture
    def judge(self, validator: Validator, audience: str, clock: MovableClock) -> Judge:
        return Judge(validator, audience, clock)

    def test_it_fills_the_seam(self, validator: Validator) -> None:
        """docs/reference/hooks.md says what a Validator has."""
        lacking = gaps(validator, Validator)
        assert not lacking, f"{lacking} (docs/reference/hooks.md)"
        assert isinstance(validator.token_types, frozenset), "token_types is no frozenset: a text contains all its parts, a set can change"
        assert validator.token_types, "it takes no token type"
        for name in validator.token_types:
            assert ":" in name, f"token type {name!r} is no absolute URI (RFC 8693 section 3)"
        assert isinstance(validator.issuers, frozenset | None), "issuers is neither a frozenset nor None (docs/reference/hooks.md)"

    def test_a_good_credential_is_proved(self, judge: Judge, good: Credential) -> None:
        assert isinstance(good, Credential), f"`good` is a {type(good).__name__}: supply a cambist.Credential"
        outcome = judge.outcome(good)
        assert isinstance(outcome, Proven), f"the good credential was refused: {told(outcome)}"

    def test_it_does_not_hold_the_event_loop(self, judge: Judge, good: Credential) -> None:
        """One service has one loop for everybody."""
        held = judge.holds(good)
        assert held < HOLD, (
            f"it held the event loop for {held * 1000:.0f} ms, and everybody waited: put blocking work into asyncio.to_thread (CWE-400)"
        )

    def test_it_is_proved_alike_each_time(self, judge: Judge, good: Credential) -> None:
        """What is accepted once is for the core to mark: a validator that keeps count does so for one process only."""
        first = judge.outcome(good)
        before = repr(first)
        second = judge.outcome(good)
        assert isinstance(second, Proven), f"the second judgement differs: {told(second)}; validators spend nothing: say `single_use_until`"
        assert isinstance(first, Proven)
        assert second.identity == first.identity, "one credential proved two identities (an identity is a function of what was proved)"
        assert second.expires_at == first.expires_at, "one credential has two ends: take its end from the credential"
        assert repr(first) == before, "a proof changed after it was given: the attributes of an identity are shared with something"

    def test_fifty_at_once_are_judged_like_one(self, judge: Judge, good: Credential) -> None:
        outcomes = judge.outcomes(*[good] * 50)
        others = {told(outcome) for outcome in outcomes} - {"accepted"}
        assert not others, f"of fifty that were judged side by side some were {others}: something is shared between judgements (CWE-362)"

    def test_no_plain_change_to_a_good_credential_is_overlooked(self, judge: Judge, good: Credential) -> None:
        """One credential has one spelling: not another case, no space inside, nothing else between two parts, nothing behind them."""
        for changed in dict.fromkeys(plain_changes(good.token)):
            self._check_change(judge, good, changed)

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_every_small_change_to_a_good_credential_is_refused(self, data: st.DataObject, judge: Judge, good: Credential) -> None:
        """What is signed is what is read, all of it."""
        self._check_change(judge, good, data.draw(small_changes(good.token)))

    def _check_change(self, judge: Judge, good: Credential, changed: str) -> None:
        if not self.is_twin(good.token, changed):
            outcome = judge.outcome(replace(good, token=changed))
            assert is_refused(outcome), f"a changed credential was {told(outcome)}: {changed!r} (CWE-345: what is signed is what is read)"

    def is_twin(self, good: str, changed: str) -> bool:
        """Whether a change leaves the very same credential, such as the other valid signature of one message. Rarely."""
        return False

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(junk=st.text(st.characters(exclude_categories=())) | st.binary().map(lambda raw: raw.decode("latin-1")))
    def test_junk_is_refused(self, junk: str, judge: Judge, good: Credential) -> None:
        outcome = judge.outcome(replace(good, token=junk))
        assert is_refused(outcome), f"junk was {told(outcome)}: {junk!r} (SECURITY.md: any failure ends in a refusal)"

    @pytest.mark.parametrize("long", ["A" * LONG, "." * LONG, "A." * (LONG // 2), "[" * LONG], ids=["letters", "dots", "pairs", "brackets"])
    def test_a_megabyte_is_refused_quickly(self, long: str, judge: Judge, good: Credential) -> None:
        """What a stranger sends costs little until he is proved (CWE-400, CWE-1333)."""
        outcome = judge.outcome(replace(good, token=long))
        assert is_refused(outcome), f"a megabyte was {told(outcome)} (SECURITY.md: any failure ends in a refusal)"
        held = judge.holds(replace(good, token=long))
        assert held < HOLD, (
            f"a megabyte held the event loop for {held * 1000:.0f} ms: look at its length or shape first (CWE-400, CWE-1333)"
        )

    def test_each_precisely_wrong_credential_is_refused(self, judge: Judge, good: Credential, wrong: Mapping[str, str]) -> None:
        outcomes = {rule: judge.outcome(replace(good, token=token)) for rule, token in wrong.items()}
        accepted = [rule for rule, outcome in outcomes.items() if isinstance(outcome, Proven)]
        assert not accepted, "accepted, though it breaks the rule: " + "; ".join(accepted)
        faults = [f"{rule}: {told(outcome)}" for rule, outcome in outcomes.items() if not is_refused(outcome)]
        assert not faults, "neither accepted nor refused: " + "; ".join(faults)

    def test_its_diagnosis_agrees_with_its_judgement(
        self, judge: Judge, validator: Validator, good: Credential, wrong: Mapping[str, str], audience: str
    ) -> None:
        """`cambist trust check` must not call good what is refused, nor bad what is accepted."""
        if not isinstance(validator, CanDiagnose):
            return
        for rule, token in {"good": good.token, **wrong}.items():
            credential = replace(good, token=token)
            sample = Sample(credential=credential, audiences=frozenset({audience}))
            failed = [check.name for check in asyncio.run(diagnosed(validator, sample)) if check.state is State.FAILED]
            outcome = judge.outcome(credential)
            assert bool(failed) == is_refused(outcome), f"{rule}: it was {told(outcome)}, and what fails by its diagnosis is {failed}"

    def test_a_proof_ends_when_the_credential_does(self, judge: Judge, good: Credential, clock: MovableClock) -> None:
        """No token outlives the credential that it was issued for (SECURITY.md)."""
        proven = judge.outcome(good)
        assert isinstance(proven, Proven)
        assert proven.expires_at < math.inf, "the proof has no end: say when the credential ends, for no token may outlive it (SECURITY.md)"
        clock.now = proven.expires_at
        later = judge.outcome(good)
        assert is_refused(later), (
            f"at its own end the credential was {told(later)}: `expires_at` is the credential's end, not counted from now (SECURITY.md)"
        )

    def test_what_it_cannot_reach_is_not_held_against_the_credential(
        self, cut_off: Iterable[Validator], good: Credential, audience: str, clock: MovableClock
    ) -> None:
        for validator in cut_off:
            outcome = Judge(validator, audience, clock).outcome(good)
            assert isinstance(outcome, Unavailable), (
                f"what it asks is out of reach, and the good credential was {told(outcome)}: raise cambist.Unavailable if it cannot judge"
            )

    def test_it_remembers_no_credential(self, judge: Judge, good: Credential) -> None:
        """What is kept can be stolen (CWE-316)."""
        token = _Tracked(good.token)
        seen = weakref.ref(token)
        judge.outcome(replace(good, token=token))
        del token
        gc.collect()
        kept = seen() is not None or keeps(judge.validator, good.token)
        assert not kept, "it keeps the credential after the judgement: keep a digest if anything must be kept (CWE-316)"

    def test_nothing_secret_is_told(
        self, judge: Judge, good: Credential, secrets: Iterable[str], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """No log, error, repr or record holds a credential (SECURITY.md, CWE-532)."""
        with caplog.at_level(logging.DEBUG):
            outcomes = judge.outcomes(good, replace(good, token=good.token + "A"), replace(good, token="A" + good.token))
        told_of = {"its repr": repr(judge.validator), "its log": caplog.text, "what it prints": "".join(capfd.readouterr())}
        told_of |= {"its proof": everything(outcomes[0]), "its refusals": "".join(map(everything, outcomes[1:]))}
        where = [place for place, text in told_of.items() for secret in (good.token, good.token[-16:], *secrets) if secret in text]
        assert not where, (
            f"a secret is in its repr, log or error, or in its proof; here in {' and '.join(dict.fromkeys(where))}: "
            "use cambist.Secret and field(repr=False), and a digest for an id (CWE-532)"
        )

    def test_it_is_exchanged_for_a_token_in_both_dialects(self, judge: Judge, good: Credential, audience: str, clock: MovableClock) -> None:
        proven = judge.outcome(good)
        assert isinstance(proven, Proven)
        if good.role is not Role.SUBJECT or proven.confirmation is not None:
            pytest.skip("it takes more than the credential alone")

        async def story() -> None:
            zone = {"issuer": audience, "authenticates": [good.token_type]}
            asked: dict[str, Any] = {"subject_token": good.token, "subject_token_type": good.token_type, "audience": TARGET}
            async with open_sts(zone, modules={"under-test": OfferedValidator(judge.validator)}, clock=clock) as running:
                first, second = await running.form(**asked), await running.json(**asked)
            assert first.status_code == 200, f"the service refused the good credential: {first.text}"
            assert first.json()["expires_in"] <= proven.expires_at - clock(), "the token outlives the credential (SECURITY.md)"
            said = "replayed" if proven.single_use_until is not None else None
            assert second.json().get("reason") == said, f"the second exchange was not as the proof says: {second.text}"

        asyncio.run(story())
