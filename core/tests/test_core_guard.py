"""What surrounds every validator: whatever a plugin does, it ends in a sound proof or in a refusal with a name."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import force_setattr

from cambist import AudienceMismatch, Credential, CredentialMalformed, Expired, Identity, Proven, Rejected, Role, Unavailable, Unverified
from cambist.clock import within
from cambist.credential import NOTHING, Possession
from cambist.errors import (
    AudienceMissing,
    CredentialTooLarge,
    DeadlineExceeded,
    Fault,
    IdentifierTooLong,
    PluginFault,
    PossessionMissing,
    Refusal,
    TokenTypeNotEnabled,
)
from cambist.guard import MAX_NAME, Guard
from cambist.identity import MayAct
from cambist.testing import MovableClock
from cambist.token_type import API_KEY
from cambist.validator import Seated, Takers
from cambist.value import replace

STS, KEYS = "https://sts.example", "https://keys.example"
CLOCK = MovableClock()
NOW = CLOCK()
GOOD = Proven(identity=Identity(issuer=KEYS, subject="bot"), expires_at=NOW + 60)

USUAL = replace(GOOD, expires_at=float(NOW + 60), audience=frozenset({STS}), token_id="id", key_id="k")

Judge = Callable[[Credential], Awaitable[Any]]


class Plugin:
    """Answers as the test says."""

    token_types = frozenset({API_KEY})

    def __init__(self, judge: Judge, issuers: frozenset[str] | None = None) -> None:
        self.judge, self.issuers = judge, issuers

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Any:
        return await self.judge(credential)


def returning(value: object) -> Judge:
    async def judge(credential: Credential) -> Any:
        return value

    return judge


def raising(error: BaseException) -> Judge:
    async def judge(credential: Credential) -> Any:
        raise error

    return judge


def guarding(judge: Judge, issuers: frozenset[str] | None = None, max_token: int = 100) -> Guard:
    takers = Takers.of([Seated("hostile", Plugin(judge, issuers))])
    return Guard(takers=dict.fromkeys(Role, takers), audiences=frozenset({STS}), max_token=max_token, clock=CLOCK)


def presented(token: str = "key", role: Role = Role.SUBJECT) -> Credential:
    return Credential(token=token, token_type=API_KEY, role=role)


async def proved(value: object, *, held: Possession = NOTHING, also_for: frozenset[str] = frozenset(), role: Role = Role.SUBJECT) -> Proven:
    return await guarding(returning(value)).prove(presented(role=role), held, also_for)


async def refused(value: object, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as raised:
        await proved(value, **more)
    return raised.value


async def fault(value: object, **more: Any) -> str:
    refusal = await refused(value, **more)
    assert type(refusal) is PluginFault
    assert refusal.plugin == "hostile"
    return str(refusal.facts["cause"])


async def test_a_sound_proof_passes_with_the_type_it_was_declared_as() -> None:
    for proof in (GOOD, USUAL):
        assert await proved(proof) == replace(proof, token_type=API_KEY)
    assert await proved(replace(GOOD, token_type="a plugin's own idea")) == replace(GOOD, token_type=API_KEY)


@pytest.mark.parametrize("role", Role)
async def test_every_refusal_says_in_which_role_the_credential_was_presented(role: Role) -> None:
    for judge in (raising(Rejected("no")), raising(ValueError()), returning(None)):
        with pytest.raises(Refusal) as raised:
            await guarding(judge).prove(presented(role=role), NOTHING)
        assert raised.value.role == role
    with pytest.raises(TokenTypeNotEnabled) as nobody:
        await guarding(returning(GOOD)).prove(
            Credential(token="key", token_type="urn:ietf:params:oauth:token-type:jwt", role=role), NOTHING
        )
    assert nobody.value.role == role


async def test_the_plugin_is_given_the_keys_that_the_request_proved_and_none_that_it_claims() -> None:
    seen: list[Possession] = []

    async def judge(credential: Credential) -> Any:
        seen.append(credential.possession)
        return GOOD

    held = Possession(thumbprints=frozenset({"mine"}))
    claimed = replace(presented(), possession=Possession(thumbprints=frozenset({"claimed"})))
    await guarding(judge).prove(claimed, held)
    assert seen == [held]


# ── size ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_credential_above_the_size_is_refused_before_anybody_looks_at_it() -> None:
    guard = guarding(raising(AssertionError("it was asked")), max_token=10)
    with pytest.raises(CredentialTooLarge) as raised:
        await guard.prove(presented("a" * 11), NOTHING)
    assert (raised.value.expected, raised.value.seen) == (10, 11)
    assert (await guarding(returning(GOOD), max_token=10).prove(presented("a" * 10), NOTHING)).identity.subject == "bot"


# ── what a plugin raises ────────────────────────────────────────────────────────────────────────────────


class OwnKind(BaseException):
    """An exception that is no Exception."""


@pytest.mark.parametrize(
    "error",
    [
        Exception("the token is abc"),
        ValueError("the token is abc"),
        RecursionError("the token is abc"),
        MemoryError(),
        StopAsyncIteration("the token is abc"),
        AssertionError(),
        ExceptionGroup("the token is abc", [ValueError("abc")]),
        TimeoutError("the token is abc"),
        SystemExit("the token is abc"),
        OwnKind("the token is abc"),
        BaseExceptionGroup("the token is abc", [OwnKind("abc")]),
        asyncio.CancelledError("the token is abc"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_plugin_raises_is_a_fault_with_its_name_and_without_its_words(error: BaseException) -> None:
    with pytest.raises(PluginFault) as raised:
        await guarding(raising(error)).prove(presented(), NOTHING)
    refusal = raised.value
    assert (refusal.plugin, refusal.facts["cause"]) == ("hostile", type(error).__name__)
    assert refusal.__cause__ is error
    assert "abc" not in refusal.said + str(refusal.facts)


async def test_a_coroutine_that_stops_by_itself_is_a_fault() -> None:
    with pytest.raises(PluginFault):
        await guarding(raising(StopIteration("x"))).prove(presented(), NOTHING)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()], ids=lambda error: type(error).__name__)
async def test_what_is_not_the_plugins_own_passes_through_it_and_is_never_an_acceptance(error: BaseException) -> None:
    with pytest.raises(type(error)):
        await guarding(raising(error)).prove(presented(), NOTHING)


@pytest.mark.parametrize("refusal", [Rejected("no"), CredentialMalformed("no"), Unavailable(what="the issuer", cause="down")])
async def test_a_refusal_of_the_plugins_passes_as_it_is(refusal: Refusal) -> None:
    with pytest.raises(type(refusal)) as raised:
        await guarding(raising(refusal)).prove(presented(), NOTHING)
    assert raised.value is refusal


async def hangs(credential: Credential) -> Any:
    await asyncio.sleep(60)


async def test_a_plugin_that_never_answers_is_ended_by_the_deadline_and_not_blamed() -> None:
    with pytest.raises(DeadlineExceeded):
        await within(0.02, "the decision", guarding(hangs).prove(presented(), NOTHING))


async def test_who_hangs_up_is_cancelled() -> None:
    task = asyncio.create_task(guarding(hangs).prove(presented(), NOTHING))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_plugin_that_swallows_the_cancellation_does_not_turn_it_into_an_acceptance() -> None:
    async def stubborn(credential: Credential) -> Any:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return GOOD

    with pytest.raises(DeadlineExceeded):
        await within(0.02, "the decision", guarding(stubborn).prove(presented(), NOTHING))


# ── what a plugin returns ───────────────────────────────────────────────────────────────────────────────


class Shifty(Proven, frozen=True):
    """A proof that answers anew each time."""


class ShiftyIdentity(Identity, frozen=True):
    """An identity that could answer anew each time."""


@pytest.mark.parametrize("value", [None, True, False, 1, "proven", {}, [], GOOD.identity, Proven, (GOOD,), Ellipsis])
async def test_only_a_proof_is_one(value: object) -> None:
    assert await fault(value) == "it returned no Proven"


async def test_a_subclass_of_a_proof_is_none() -> None:
    assert await fault(Shifty(identity=GOOD.identity, expires_at=GOOD.expires_at)) == "it returned no Proven"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("identity", None),
        ("identity", "bot"),
        ("identity", ShiftyIdentity(issuer=KEYS, subject="bot")),
        ("identity", Identity(issuer=KEYS, subject=5)),  # type: ignore[arg-type]  # what an untyped plugin can do
        ("identity", Identity(issuer=None, subject="bot")),  # type: ignore[arg-type]  # the same
        ("identity", Identity(issuer=KEYS, subject="bot", attributes=None)),  # type: ignore[arg-type]  # the same
        ("may_act", MayAct(subject=5, issuer=KEYS)),  # type: ignore[arg-type]  # the same
        ("expires_at", math.nan),
        ("expires_at", -math.inf),
        ("expires_at", None),
        ("expires_at", "9999999999"),
        ("audience", STS),
        ("audience", [STS]),
        ("audience", {STS}),
        ("audience", frozenset({5})),
        ("audience", frozenset({STS, 5})),
        ("meant_for", None),
        ("meant_for", STS),
        ("scope", "read write"),
        ("scope", ["read"]),
        ("scope", {"read"}),
        ("scope", frozenset({None})),
        ("token_id", 5),
        ("token_id", b"id"),
        ("single_use_until", math.nan),
        ("single_use_until", math.inf),
        ("single_use_until", "soon"),
        ("confirmation", 5),
        ("confirmation", ["thumb"]),
        ("confirmation", frozenset({"thumb"})),
        ("chain", [Identity(issuer=KEYS, subject="b")]),
        ("chain", []),
        ("chain", ("b",)),
        ("chain", None),
        ("may_act", {"sub": "b"}),
        ("may_act", "b"),
        ("transaction", 5),
        ("key_id", 5),
        ("default_target", 5),
    ],
)
async def test_a_bound_of_another_kind_is_no_bound(field: str, value: object) -> None:
    """Of a proof that says little, and of one such as most JWTs give: neither is looked at less closely."""
    changed: Any = {field: value}
    for proof in (GOOD, USUAL):
        assert await fault(replace(proof, **changed)) == f"a proof whose {field} cannot be"


async def test_every_bound_is_checked() -> None:
    from cambist.guard import _shape

    assert set(_shape(GOOD)) == set(Proven.__struct_fields__) - {"token_type"}


async def test_everything_that_is_wrong_is_told_at_once() -> None:
    broken: Any = {"scope": "read", "chain": None}
    assert await fault(replace(GOOD, **broken)) == "a proof whose scope and chain cannot be"
    rare = ["scope", "single_use_until", "confirmation", "may_act", "transaction", "default_target"]
    said = await fault(replace(USUAL, **dict.fromkeys(rare, 5j)))
    assert said == f"a proof whose {' and '.join(rare)} cannot be"


async def test_a_whole_proof_with_every_bound_passes() -> None:
    whole = replace(
        GOOD,
        audience=frozenset({STS}),
        scope=frozenset({"read"}),
        token_id="id",
        single_use_until=NOW + 120,
        confirmation="thumb",
        chain=(Identity(issuer="https://other.example", subject="b"),),
        may_act=MayAct(subject="c", issuer=KEYS),
        transaction="t",
    )
    assert await proved(whole, held=Possession(thumbprints=frozenset({"thumb"}))) == replace(whole, token_type=API_KEY)


@pytest.mark.parametrize("names", [("", "bot"), (KEYS, ""), ("", "")])
@pytest.mark.parametrize("place", ["identity", "chain"])
async def test_nobody_is_without_a_name(names: tuple[str, str], place: str) -> None:
    issuer, subject = names
    named = Identity(issuer=issuer, subject=subject)
    changed: Any = {"identity": named} if place == "identity" else {"chain": (named,)}
    assert await fault(replace(GOOD, **changed)) == "an identity without issuer or subject"


@pytest.mark.parametrize("text", ["a\x00b", "a\r\nb", "\x1b[2J", "a\tb", "a\x7f", "a\x85b", "\ud800"])
@pytest.mark.parametrize("place", ["issuer", "subject", "chain"])
async def test_a_name_with_control_characters_is_refused(text: str, place: str) -> None:
    named = Identity(issuer=text, subject="bot") if place == "issuer" else Identity(issuer=KEYS, subject=text)
    changed: Any = {"chain": (named,)} if place == "chain" else {"identity": named}
    assert type(await refused(replace(GOOD, **changed))) is CredentialMalformed


@pytest.mark.parametrize("text", ["../../etc", "*", " bot ", "<script>", "\u202enimda", "bot\u00a0", "спиффе", "😀", "'; drop table"])
async def test_any_other_name_passes_unchanged(text: str) -> None:
    assert (await proved(replace(GOOD, identity=Identity(issuer=KEYS, subject=text)))).identity.subject == text


def test_the_longest_issuer_and_the_longest_subject_fill_the_longest_identifier() -> None:
    assert MAX_NAME + MAX_NAME == 2048


@pytest.mark.parametrize("place", ["issuer", "subject"])
async def test_a_name_is_measured_in_bytes(place: str) -> None:
    for text, fits in (
        ("a" * MAX_NAME, True),
        ("a" * (MAX_NAME + 1), False),
        ("ä" * (MAX_NAME // 2), True),
        ("ä" * (MAX_NAME // 2 + 1), False),
    ):
        changed: Any = {place: text}
        proof = replace(GOOD, identity=replace(GOOD.identity, **changed))
        if fits:
            assert getattr((await proved(proof)).identity, place) == text
        else:
            assert type(await refused(proof)) is IdentifierTooLong


async def test_a_validator_speaks_for_its_own_issuers_only() -> None:
    for issuers, accepted in ((frozenset({KEYS}), True), (frozenset({"https://other.example"}), False), (frozenset[str](), False)):
        guard = guarding(returning(GOOD), issuers)
        takers = Takers(by_issuer={}, by_type={API_KEY: [Seated("hostile", Plugin(returning(GOOD), issuers))]})
        with pytest.raises(Refusal):
            await guard.prove(presented(), NOTHING)  # by its type alone, without an issuer, it is not even asked
        seated = dataclasses.replace(
            guard, takers={Role.SUBJECT: Takers(by_issuer={(API_KEY, KEYS): takers.by_type[API_KEY][0]}, by_type=takers.by_type)}
        )
        token = "e30.eyJpc3MiOiJodHRwczovL2tleXMuZXhhbXBsZSJ9.AA"  # {"iss": KEYS}
        if accepted:
            assert (await seated.prove(presented(token), NOTHING)).identity.issuer == KEYS
        else:
            with pytest.raises(PluginFault) as raised:
                await seated.prove(presented(token), NOTHING)
            assert raised.value.facts["cause"] == "an identity of an issuer that is not its own"


@pytest.mark.parametrize(("role", "accepted"), [(Role.SUBJECT, False), (Role.ACTOR, False), (Role.CLIENT, True)])
async def test_one_that_names_no_issuers_does_not_speak_for_the_zone_but_of_its_applications(role: Role, accepted: bool) -> None:
    proof = replace(GOOD, identity=Identity(issuer=STS, subject="admin"))
    if accepted:
        assert (await proved(proof, role=role)).identity.issuer == STS
    else:
        assert await fault(proof, role=role) == "an identity of an issuer that is not its own"


# ── time, audience, possession, single use ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("left", "said"), [(0, "0"), (-0.5, "1"), (-61, "61"), (-NOW, str(int(NOW)))])
async def test_an_expired_proof_is_refused_to_the_moment(left: float, said: str) -> None:
    refusal = await refused(replace(GOOD, expires_at=NOW + left))
    assert (type(refusal), refusal.said) == (Expired, f"it expired {said} seconds ago")
    assert refusal.seen == {"exp": math.floor(NOW + left), "now": int(NOW)}


@pytest.mark.parametrize("ends", [NOW + 0.001, NOW + 1, math.inf, 10**12])
async def test_a_proof_that_has_not_expired_passes(ends: float) -> None:
    assert (await proved(replace(GOOD, expires_at=ends))).expires_at == ends


@pytest.mark.parametrize("audience", [frozenset({STS}), frozenset({STS, "https://other.example"})])
async def test_a_credential_is_for_this_zone(audience: frozenset[str]) -> None:
    assert (await proved(replace(GOOD, audience=audience))).audience == audience


@pytest.mark.parametrize(
    "audience", [set(), {""}, {"*"}, {STS + "/"}, {STS.upper()}, {STS[:-1]}, {STS + ".evil.example"}, {"https://other.example"}]
)
async def test_a_credential_for_somebody_else_is_refused(audience: set[str]) -> None:
    refusal = await refused(replace(GOOD, audience=frozenset(audience)))
    assert (type(refusal), refusal.expected, refusal.seen) == (AudienceMismatch, [STS], sorted(audience))


async def test_the_audience_that_is_configured_for_an_issuer_takes_the_place_of_the_zones() -> None:
    meant = replace(GOOD, meant_for=frozenset({"cambist"}))
    assert (await proved(replace(meant, audience=frozenset({"cambist", "other"})))).meant_for == {"cambist"}
    refusal = await refused(replace(meant, audience=frozenset({STS})))
    assert (type(refusal), refusal.expected) == (AudienceMismatch, ["cambist"])


async def test_a_resource_of_the_callers_own_is_an_audience_too() -> None:
    owned = frozenset({"https://api.example"})
    proof = replace(GOOD, audience=owned)
    assert (await proved(proof, also_for=owned)).audience == owned
    refusal = await refused(proof, also_for=frozenset({"https://another.example"}))
    assert (type(refusal), refusal.expected) == (AudienceMismatch, [STS])  # what others own is not told
    assert (await proved(replace(proof, meant_for=frozenset({"cambist"})), also_for=owned)).audience == owned


async def test_a_proof_without_an_audience_is_for_whoever_takes_its_kind() -> None:
    assert (await proved(replace(GOOD, audience=None))).audience is None


async def test_a_bound_credential_needs_its_key_and_no_other() -> None:
    bound = replace(GOOD, confirmation="thumb")
    assert (await proved(bound, held=Possession(thumbprints=frozenset({"other", "thumb"})))).confirmation == "thumb"
    for held in (NOTHING, Possession(thumbprints=frozenset({"other"})), Possession(thumbprints=frozenset({"THUMB", "thum", ""}))):
        assert type(await refused(bound, held=held)) is PossessionMissing
    assert type(await refused(replace(GOOD, confirmation=""))) is PossessionMissing


@pytest.mark.parametrize(("token_id", "until"), [(None, NOW + 60), ("", NOW + 60), ("id", NOW), ("id", NOW - 1)])
async def test_what_is_used_once_has_an_id_and_is_remembered(token_id: str | None, until: float) -> None:
    said = await fault(replace(GOOD, token_id=token_id, single_use_until=until))
    assert said == "a single-use credential without an id, or that is forgotten at once"


async def test_what_is_used_once_is_remembered_for_as_long_as_it_is_good() -> None:
    once = replace(GOOD, token_id="id")
    said = await fault(replace(once, single_use_until=GOOD.expires_at - 1))
    assert said == "a single-use credential that is forgotten before it ends"
    for until in (GOOD.expires_at, GOOD.expires_at + 1):
        assert (await proved(replace(once, single_use_until=until))).single_use_until == until
    endless = replace(once, expires_at=math.inf, single_use_until=NOW + 1)  # it ends by its id being spent, not by time
    assert (await proved(endless)).single_use_until == NOW + 1


@pytest.mark.parametrize("ended", [NOW, NOW - 1])
async def test_what_is_used_once_and_has_ended_is_expired_and_nobody_is_blamed(ended: float) -> None:
    once = replace(GOOD, token_id="id", expires_at=ended, single_use_until=ended)
    assert type(await refused(once)) is Expired


async def test_what_a_plugin_does_to_its_proof_after_the_judgement_changes_nothing() -> None:
    """Frozen is a convention that a plugin can break (U5)."""
    identity, passed = (Identity(issuer=KEYS, subject=name) for name in ("bot", "b"))
    found = await proved(replace(GOOD, identity=identity, chain=(passed,)))
    for held in (identity, passed):
        force_setattr(held, "subject", "admin")
    assert (found.identity.subject, [who.subject for who in found.chain]) == ("bot", ["b"])


async def test_a_credential_for_nobody_is_told_whom_it_must_be_for_unless_the_plugin_says_that() -> None:
    for said, told in ((None, [STS]), (["cambist"], ["cambist"])):
        with pytest.raises(AudienceMissing) as raised:
            await guarding(raising(AudienceMissing(expected=said))).prove(presented(), NOTHING)
        assert raised.value.expected == told
    with pytest.raises(Rejected) as other:
        await guarding(raising(Rejected("no"))).prove(presented(), NOTHING)
    assert other.value.expected is None


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=4)
    | st.sampled_from([GOOD, GOOD.identity, STS, KEYS, NOW + 60, MayAct(subject="b", issuer=KEYS)]),
    lambda inner: st.lists(inner, max_size=2) | st.lists(inner, max_size=2).map(tuple) | st.frozensets(st.text(max_size=3), max_size=2),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(sorted(Proven.__struct_fields__)), ANYTHING, min_size=1, max_size=3))
def test_no_answer_of_a_plugin_is_more_than_a_sound_proof_or_a_refusal(changes: dict[str, Any]) -> None:
    async def ask() -> Proven | None:
        try:
            return await proved(replace(GOOD, **changes))
        except Refusal:
            return None

    found = asyncio.run(ask())
    if found is not None:
        assert found.token_type == API_KEY
        assert found.expires_at > NOW
        assert isinstance(found.identity.subject, str)
        assert found.audience is None or found.audience & (found.meant_for or {STS})
        assert found.confirmation is None
        assert found.scope is None or isinstance(found.scope, frozenset)


def test_a_plugin_fault_is_a_fault() -> None:
    assert issubclass(PluginFault, Fault)
