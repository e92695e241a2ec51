"""The contract of validators catches each fault that it is there for, and says what is wrong."""

from __future__ import annotations

import asyncio
import hmac
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from cambist import Credential, DidNotStart, Identity, Proven, Rejected, Role, Unverified
from cambist.check import Check, Sample, Trust
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import ISSUER, DeafHttp, Forge, MovableClock, ValidatorContract
from cambist.testing.contracts import patience
from cambist.testing.contracts.judging import LONG, Judge
from cambist.testing.trusting import ForgeValidator, Trusting
from cambist.token_type import JWT
from cambist.value import replace

STAMP = "urn:example:token-type:stamp"
STAMPS = "https://stamps.example"
KEY = b"a key of the test's own"
END = int(MovableClock()()) + 600


def stamped(text: str) -> str:
    return f"{text}/{hmac.digest(KEY, text.encode(errors='replace'), 'sha256').hex()}"


GOOD = Credential(token=stamped(f"ann/{END}"), token_type=STAMP, role=Role.SUBJECT)


class Sound:
    """Judges stamps: a name, its end, and an HMAC of both."""

    token_types: Any = frozenset({STAMP})
    issuers: Any = None

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Any:
        name, _, rest = credential.token.partition("/")
        end = rest.partition("/")[0]
        if not hmac.compare_digest(stamped(f"{name}/{end}").encode(errors="replace"), credential.token.encode(errors="replace")):
            raise Rejected("the stamp is broken")
        return Proven(identity=Identity(issuer=STAMPS, subject=name), expires_at=int(end))


@dataclass
class Faulty(Sound):
    """Sound, but for what it does before and after it judges; `kept` is what it keeps."""

    before: Callable[[Faulty, Credential], Any] = lambda self, credential: None
    after: Callable[[Faulty, Proven, Credential], Any] = lambda self, proven, credential: proven
    token_types: Any = Sound.token_types
    issuers: Any = None
    kept: list[Any] = field(default_factory=list)

    async def validate(self, credential: Credential) -> Any:
        changed = self.before(self, credential)
        judged = await super().validate(changed if isinstance(changed, Credential) else credential)
        found = self.after(self, judged, credential)
        return await found if asyncio.iscoroutine(found) else found


class TestSound(ValidatorContract):
    @pytest.fixture
    def validator(self) -> Sound:
        return Sound()

    @pytest.fixture
    def good(self) -> Credential:
        return GOOD


class Unfinished:
    """Its author has more to do."""

    token_types, issuers = Sound.token_types, None

    def validate(self, credential: Credential) -> Proven:
        raise Rejected("not yet")


def fail(self: Faulty, credential: Credential) -> None:
    raise KeyError("ann")


def count(self: Faulty, credential: Credential) -> None:
    self.kept.append(1)
    if len(self.kept) > 1:
        raise Rejected("it was used before")


def hold_for_ever(self: Faulty, credential: Credential) -> None:
    while True:
        time.sleep(0.01)


async def hang(self: Faulty, proven: Proven, credential: Credential) -> None:
    await asyncio.Event().wait()


def named(proven: Proven, **changes: Any) -> Proven:
    return replace(proven, identity=replace(proven.identity, **changes))


def name_anew(self: Faulty, proven: Proven, credential: Credential) -> Proven:
    self.kept.append(1)
    return named(proven, subject=f"n{len(self.kept)}")


def slide(self: Faulty, proven: Proven, credential: Credential) -> Proven:
    self.kept.append(1)
    return replace(proven, expires_at=END + len(self.kept))


def share(self: Faulty, proven: Proven, credential: Credential) -> Proven:
    self.kept = self.kept or [{}]
    self.kept[0][str(len(self.kept[0]))] = "seen"
    return named(proven, attributes=self.kept[0])


async def mix(self: Faulty, proven: Proven, credential: Credential) -> Proven:
    self.kept.append(1)
    mine = len(self.kept)
    await asyncio.sleep(0)
    if mine != len(self.kept):
        raise Rejected("somebody else is being judged")
    return proven


def tell(self: Faulty, credential: Credential) -> None:
    if credential.token != GOOD.token:
        raise Rejected("the stamp is broken", token=credential.token)


def respelt(spell: Callable[[str], str]) -> Faulty:
    return Faulty(lambda _, credential: replace(credential, token=spell(credential.token)))


def keeping(keep: Callable[[Credential], object]) -> Faulty:
    return Faulty(lambda self, credential: self.kept.append(keep(credential)))


def slow(credential: Credential, length: int = 0) -> None:
    if len(credential.token) > length:
        time.sleep(0.06)


@dataclass
class Diagnosing(Sound):
    """Says the same of every sample."""

    says: Sequence[Check]
    trusts: Sequence[Trust] = ()

    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        return self.says


FAULTS: list[tuple[str, Any, str]] = [
    ("it_fills_the_seam", Unfinished(), r"it lacks `recognizes`; `validate` is not `async def` \(docs/reference/hooks.md\)"),
    ("it_fills_the_seam", Faulty(token_types=STAMP), "token_types is no frozenset"),
    ("it_fills_the_seam", Faulty(token_types=frozenset()), "it takes no token type"),
    ("it_fills_the_seam", Faulty(token_types=frozenset({"stamp"})), r"'stamp' is no absolute URI \(RFC 8693"),
    ("it_fills_the_seam", Faulty(issuers=[STAMPS]), "issuers is neither a frozenset nor None"),
    ("a_good_credential_is_proved", Faulty(fail), rf"KeyError\('ann'\) in line \d+ of {__file__}\): raise cambist\.Rejected"),
    ("a_good_credential_is_proved", Faulty(after=lambda *_: True), r"it returned no Proven\): cambist\.Proven says"),
    ("a_good_credential_is_proved", Faulty(after=hang), "not judged within 0.2 s"),
    ("a_good_credential_is_proved", Faulty(hold_for_ever), "it held the event loop for 1.5 seconds, and would not have stopped"),
    ("it_does_not_hold_the_event_loop", Faulty(lambda _, sent: slow(sent)), r"for \d+ ms, and everybody waited: put blocking work into"),
    ("it_does_not_hold_the_event_loop", Faulty(hold_for_ever), r"put blocking work into asyncio\.to_thread"),
    ("it_is_proved_alike_each_time", Faulty(count), "validators spend nothing"),
    ("it_is_proved_alike_each_time", Faulty(after=name_anew), "one credential proved two identities"),
    ("it_is_proved_alike_each_time", Faulty(after=slide), "one credential has two ends"),
    ("it_is_proved_alike_each_time", Faulty(after=share), "a proof changed after it was given"),
    ("fifty_at_once_are_judged_like_one", Faulty(after=mix), "of fifty that were judged side by side some were .*somebody else"),
    (
        "no_plain_change_to_a_good_credential_is_overlooked",
        respelt(lambda text: "".join(text.split())),
        "a changed credential was",
    ),
    ("every_small_change_to_a_good_credential_is_refused", respelt(lambda text: GOOD.token), "a changed credential was"),
    ("no_plain_change_to_a_good_credential_is_overlooked", respelt(str.lower), "a changed credential was"),
    ("junk_is_refused", Faulty(lambda _, sent: sent.token.encode("ascii") and None), "junk was a fault of the plugin .UnicodeEncodeError"),
    ("a_megabyte_is_refused_quickly", Faulty(lambda _, sent: slow(sent, 100_000)), "a megabyte held the event loop"),
    ("a_megabyte_is_refused_quickly", respelt(lambda text: GOOD.token), "a megabyte was accepted"),
    ("each_precisely_wrong_credential_is_refused", respelt(lambda text: GOOD.token), "though it breaks the rule: of somebody else"),
    ("each_precisely_wrong_credential_is_refused", Faulty(fail), "neither accepted nor refused: of somebody else.*: a fault of the plugin"),
    ("its_diagnosis_agrees_with_its_judgement", Diagnosing([]), r"of somebody else: it was refused.*what fails by its diagnosis is \[\]"),
    (
        "its_diagnosis_agrees_with_its_judgement",
        Diagnosing([Check.refused("stamp", Rejected("the stamp is broken"))]),
        r"good: it was accepted.*what fails by its diagnosis is \['stamp'\]",
    ),
    ("a_proof_ends_when_the_credential_does", Faulty(after=lambda _, proven, __: replace(proven, expires_at=float("inf"))), "has no end"),
    ("what_it_cannot_reach_is_not_held_against_the_credential", Sound(), r"was accepted: raise cambist\.Unavailable"),
    ("it_remembers_no_credential", keeping(lambda sent: {"token": f" {sent.token}".strip()}), "it keeps the credential"),
    ("it_remembers_no_credential", keeping(lambda sent: sent.token.encode()), "it keeps the credential"),
    ("it_remembers_no_credential", keeping(lambda sent: sent), "it keeps the credential"),
    (
        "nothing_secret_is_told",
        Faulty(lambda _, sent: logging.getLogger("stamps").debug(sent.token)),
        "a secret is in its repr",
    ),
    (
        "nothing_secret_is_told",
        Faulty(lambda _, sent: sys.stderr.write(sent.token[-20:]) and None),
        "a secret is in its repr",
    ),
    ("nothing_secret_is_told", Faulty(tell), "a secret is in its repr"),
    ("nothing_secret_is_told", Faulty(after=lambda _, proven, sent: named(proven, attributes={"raw": sent.token})), "a secret is in"),
]


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the contract's fixtures would supply, with less patience."""
    monkeypatch.setattr("cambist.testing.contracts.judging.PATIENCE", 0.2)
    for name, seconds in {"LIMIT": 1.5, "TRIES": 1, "CLEARLY": 0.3}.items():
        monkeypatch.setattr(patience, name, seconds)
    wrong = {"of somebody else": f"{GOOD.token[:-1]}x"}
    told = {"caplog": caplog, "capfd": capfd, "secrets": []}
    return {"good": GOOD, "wrong": wrong, "clock": MovableClock(), "audience": ISSUER, "long": "A" * LONG, **told}


def check(rule: str, validator: Any, arguments: dict[str, Any]) -> None:
    """One rule of the contract, of the validator; hypothesis hides its own arguments."""
    given = {**arguments, "validator": validator, "judge": Judge(validator, ISSUER, arguments["clock"]), "cut_off": [validator]}
    function = getattr(TestSound(), f"test_{rule}")
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    names = inner.__code__.co_varnames[: inner.__code__.co_argcount]
    function(**{name: given[name] for name in names if name in given})


@pytest.mark.row("P-vendor")
@pytest.mark.parametrize(("rule", "faulty", "said"), FAULTS, ids=[f"{rule}: {said}" for rule, _, said in FAULTS])
def test_the_contract_catches_a_fault_and_says_what_is_wrong(rule: str, faulty: Any, said: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=said):
        check(rule, faulty, arguments)


def test_a_validator_that_takes_what_is_the_services_own_does_not_open() -> None:
    clock = MovableClock()
    forge = Forge(ISSUER, ISSUER, clock)
    greedy = ForgeValidator(Trusting(forge), Jwts(Egress(EgressSettings(), DeafHttp()), clock))
    good = Credential(token=forge.jwt(), token_type=JWT, role=Role.SUBJECT)
    with pytest.raises(DidNotStart, match=f"core and under-test both take {JWT} of {ISSUER}"):
        TestSound().test_it_is_exchanged_for_a_token_in_both_dialects(Judge(greedy, ISSUER, clock), good, ISSUER, clock)


def test_every_rule_of_the_contract_is_shown_to_catch_something() -> None:
    rules = {name for name in vars(ValidatorContract) if name.startswith("test_")}
    assert rules - {f"test_{rule}" for rule, _, _ in FAULTS} == {"test_it_is_exchanged_for_a_token_in_both_dialects"}
