"""A validator is judged as in the service, whatever it needs and whatever it does; what is not supplied is asked for by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import pytest

from cambist import Credential, Identity, Proven, Rejected, Role, Unverified
from cambist.check import Check, Sample, State, Trust
from cambist.credential import Possession
from cambist.testing import ISSUER, KeyStoreContract, MovableClock, ObserverContract, PolicyContract, StoreContract, ValidatorContract
from cambist.testing.contracts.judging import Judge, diagnosed, is_refused, told
from cambist.testing.contracts.patience import bounded
from cambist.value import replace

PASS = "urn:example:token-type:pass"
GOOD = Credential(token="open sesame", token_type=PASS, role=Role.SUBJECT)


class Door:
    """Takes one word, while it is open."""

    token_types = frozenset({PASS})
    issuers = None

    def __init__(self) -> None:
        self.opened = False

    async def __aenter__(self) -> Self:
        self.opened = True
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self.opened = False

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Proven:
        if not self.opened or credential.token != GOOD.token:
            raise Rejected("no")
        return Proven(identity=Identity(issuer="https://doors.example", subject="ali"), expires_at=MovableClock()() + 60)


def judge(validator: Any) -> Judge:
    return Judge(validator, ISSUER, MovableClock())


def test_what_has_to_be_opened_is_open_while_it_judges_and_closed_after() -> None:
    door = Door()
    assert all(isinstance(outcome, Proven) for outcome in judge(door).outcomes(GOOD, GOOD))
    assert judge(door).holds(GOOD) < 1
    assert not door.opened


def test_what_never_comes_back_from_opening_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(Door):
        async def __aenter__(self) -> Self:
            while True:
                time.sleep(0.01)

    monkeypatch.setattr("cambist.testing.contracts.patience.LIMIT", 0.1)
    outcomes = judge(Stuck()).outcomes(GOOD, GOOD)
    assert {told(outcome) for outcome in outcomes} == {"HeldForEver: it held the event loop for 0.1 seconds, and would not have stopped"}
    assert len(outcomes) == 2


def test_the_developers_own_interrupt_is_no_verdict() -> None:
    class Interrupted(Door):
        async def validate(self, credential: Credential) -> Proven:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judge(Interrupted()).outcome(GOOD)


def test_a_bound_credential_is_judged_with_the_key_that_it_is_supplied_with() -> None:
    class Bound(Door):
        async def validate(self, credential: Credential) -> Proven:
            return replace(await super().validate(credential), confirmation="thumb")

    bound = replace(GOOD, possession=Possession(thumbprints=frozenset({"thumb"})))
    assert isinstance(judge(Bound()).outcome(bound), Proven)
    assert is_refused(judge(Bound()).outcome(GOOD))
    with pytest.raises(pytest.skip.Exception, match="more than the credential alone"):
        ValidatorContract().test_it_is_exchanged_for_a_token_in_both_dialects(judge(Bound()), bound, ISSUER, MovableClock())


def test_the_twin_of_a_credential_may_be_accepted_and_nothing_else() -> None:
    class IgnoresCase(Door):
        async def validate(self, credential: Credential) -> Proven:
            return await super().validate(replace(credential, token=credential.token.lower()))

    class WithTwins(ValidatorContract):
        def is_twin(self, good: str, changed: str) -> bool:
            return good == changed.lower()

    WithTwins().test_no_plain_change_to_a_good_credential_is_overlooked(judge(IgnoresCase()), GOOD)
    with pytest.raises(AssertionError, match="a changed credential was accepted"):
        ValidatorContract().test_no_plain_change_to_a_good_credential_is_overlooked(judge(IgnoresCase()), GOOD)


def test_a_text_in_place_of_the_good_credential_is_told() -> None:
    good: Any = GOOD.token
    with pytest.raises(AssertionError, match=r"`good` is a str: supply a cambist\.Credential"):
        ValidatorContract().test_a_good_credential_is_proved(judge(Door()), good)


def test_elsewhere_than_in_the_main_thread_nobody_can_be_interrupted() -> None:
    ended: list[str] = []

    def work() -> None:
        with bounded():
            ended.append("by itself")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    assert ended == ["by itself"]


SUPPLIED: list[tuple[type[Any], str, str]] = [
    (ValidatorContract, "validator", "supply the validator that is tested"),
    (ValidatorContract, "good", "supply a good credential"),
    (PolicyContract, "opened", "supply a function that opens the policy"),
    (StoreContract, "opened", "supply a function from a clock .* an empty store"),
    (KeyStoreContract, "opened", "supply a function from a clock .* an empty key store"),
    (ObserverContract, "opened", "supply a function from a clock .* opens the observer"),
]


@pytest.mark.parametrize(("contract", "name", "said"), SUPPLIED, ids=[f"{contract.__name__}.{name}" for contract, name, _ in SUPPLIED])
def test_what_is_not_supplied_is_asked_for(contract: type[Any], name: str, said: str) -> None:
    with pytest.raises(NotImplementedError, match=said):
        vars(contract)[name].__wrapped__(contract())


def test_an_observer_that_does_not_say_what_it_was_told_is_asked_for_it() -> None:
    observer: Any = object()
    with pytest.raises(NotImplementedError, match="say how many decisions it took"):
        ObserverContract().told(observer)


async def test_a_diagnosis_that_cannot_be_made_is_one_in_which_something_failed() -> None:
    class Cannot:
        trusts: Sequence[Trust] = ()

        async def diagnose(self, sample: Sample) -> Sequence[Check]:
            raise Rejected("it cannot be looked at")

    sample = Sample(credential=GOOD, audiences=frozenset({ISSUER}))
    assert [(check.name, check.state) for check in await diagnosed(Cannot(), sample)] == [("diagnosis", State.FAILED)]
