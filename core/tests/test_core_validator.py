"""A credential has exactly one taker, or none."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cambist import Credential, CredentialMalformed, Identity, Proven, Rejected, Role, Unverified, Validator
from cambist.errors import Ambiguous, IssuerNotTrusted, PluginFault, Refusal, TokenTypeNotEnabled, TokenTypeUnknown, Unclaimed
from cambist.testing import Forge, MovableClock
from cambist.token_type import ACCESS_TOKEN, API_KEY, JWT, PAGE
from cambist.validator import Seated, Takers

A, B = "https://a.example", "https://b.example"


class Taker:
    """Takes what it is told to take."""

    def __init__(self, *token_types: str, issuers: set[str] | None = None, recognizes: Any = True) -> None:
        self.token_types = frozenset(token_types)
        self.issuers = None if issuers is None else frozenset(issuers)
        self._recognizes = recognizes
        self.seen: list[Unverified] = []

    def recognizes(self, unverified: Unverified) -> bool:
        self.seen.append(unverified)
        if isinstance(self._recognizes, BaseException):
            raise self._recognizes
        return bool(self._recognizes)

    async def validate(self, credential: Credential) -> Proven:
        return Proven(identity=Identity(issuer=A, subject="x"), expires_at=math.inf)


def takers(**validators: Validator) -> Takers:
    return Takers.of(Seated(name, validator) for name, validator in validators.items())


def written(token_type: str = JWT, issuer: str | None = None) -> Unverified:
    return Unverified(token_type=token_type, issuer=issuer)


def refused(seated: Takers, unverified: Unverified) -> Refusal:
    with pytest.raises(Refusal) as raised:
        seated.sole(unverified)
    return raised.value


def test_a_taker_is_a_validator() -> None:
    assert isinstance(Taker(JWT), Validator)
    assert not isinstance(object(), Validator)


def test_type_and_issuer_find_the_taker_and_nobody_else_is_asked() -> None:
    everything = Taker(JWT)
    seated = takers(a=Taker(JWT, issuers={A}), b=Taker(JWT, ACCESS_TOKEN, issuers={B}), rest=everything)
    assert seated.sole(written(JWT, A)).plugin == "a"
    assert seated.sole(written(JWT, B)).plugin == "b"
    assert seated.sole(written(ACCESS_TOKEN, B)).plugin == "b"
    assert not everything.seen
    assert seated.sole(written(JWT, "https://c.example")).plugin == "rest"
    assert seated.sole(written(JWT)).plugin == "rest"
    assert seated.token_types == {JWT, ACCESS_TOKEN}


@pytest.mark.parametrize("issuer", [A + "/", A.upper(), "http://a.example", "", " " + A])
def test_an_issuer_that_nobody_trusts_is_told_by_name(issuer: str) -> None:
    refusal = refused(takers(a=Taker(JWT, issuers={A})), written(JWT, issuer))
    assert (type(refusal), refusal.seen) == (IssuerNotTrusted, issuer)


def test_one_that_names_its_issuers_is_not_asked_about_others() -> None:
    taker = Taker(JWT, issuers={A})
    assert type(refused(takers(a=taker), written(JWT))) is Unclaimed
    assert not taker.seen


def test_an_issuer_of_one_type_is_not_one_of_another() -> None:
    seated = takers(a=Taker(JWT, issuers={A}), b=Taker(ACCESS_TOKEN, issuers={B}))
    assert isinstance(refused(seated, written(ACCESS_TOKEN, A)), IssuerNotTrusted)


def test_a_type_that_nobody_takes_is_told_with_those_that_are_taken() -> None:
    seated = takers(a=Taker(JWT, issuers={A}), acme=Taker("urn:acme:badge"))
    known, unknown = refused(seated, written(API_KEY)), refused(seated, written("urn:nobody:type"))
    assert (type(known), known.expected, known.seen) == (TokenTypeNotEnabled, ["urn:acme:badge", JWT], API_KEY)
    assert (type(unknown), unknown.expected, unknown.seen) == (TokenTypeUnknown, sorted({*PAGE, "urn:acme:badge"}), "urn:nobody:type")
    assert type(refused(takers(), written(JWT))) is TokenTypeNotEnabled


def test_what_nobody_recognizes_is_unclaimed() -> None:
    assert type(refused(takers(a=Taker(API_KEY, recognizes=False)), written(API_KEY))) is Unclaimed


def test_two_that_recognize_one_credential_are_none() -> None:
    one, other = Taker(API_KEY), Taker(API_KEY)
    seated = Takers(by_issuer={}, by_type={API_KEY: (Seated("one", one), Seated("other", other))})
    refusal = refused(seated, written(API_KEY))
    assert (type(refusal), refusal.facts) == (Ambiguous, {"plugins": ["one", "other"]})


def test_a_text_that_only_looks_like_a_jwt_belongs_to_who_takes_what_names_no_issuer() -> None:
    """And where two would take it, it is neither of theirs; where nobody does, it is what it looks like: a broken JWT."""
    broken = Credential(token="a.b.c", token_type=ACCESS_TOKEN, role=Role.SUBJECT)
    named, opaque, other = (Seated(name, Taker(ACCESS_TOKEN)) for name in ("named", "opaque", "other"))
    choosy = Seated("choosy", Taker(ACCESS_TOKEN, issuers={A}, recognizes=False))
    assert Takers.of([choosy, opaque]).taker(broken)[0] is opaque
    for seats, kind in (((named, other), Ambiguous), ((choosy,), CredentialMalformed)):
        with pytest.raises(Refusal) as raised:
            Takers(by_issuer={}, by_type={ACCESS_TOKEN: seats}).taker(broken)
        assert type(raised.value) is kind


def test_two_that_take_one_issuer_are_seen_before_any_credential_comes() -> None:
    with pytest.raises(ValueError, match=f"^one and other both take {JWT} of {A}$"):
        takers(one=Taker(JWT, issuers={A, B}), other=Taker(JWT, issuers={A}))


def test_two_that_take_everything_of_a_type_are_seen_before_any_credential_comes() -> None:
    with pytest.raises(ValueError, match=f"^one and other both take every {API_KEY}$"):
        takers(one=Taker(API_KEY), other=Taker(API_KEY))


@pytest.mark.parametrize("error", [RuntimeError("boom with a token in it"), KeyError("x"), RecursionError(), MemoryError()])
def test_a_plugin_that_fails_to_recognize_is_named_and_its_words_are_not_told(error: Exception) -> None:
    refusal = refused(takers(broken=Taker(API_KEY, recognizes=error)), written(API_KEY))
    assert (type(refusal), refusal.facts) == (PluginFault, {"plugin": "broken", "cause": type(error).__name__})


def test_a_refusal_of_a_plugin_that_recognizes_passes() -> None:
    assert type(refused(takers(a=Taker(API_KEY, recognizes=Rejected("no"))), written(API_KEY))) is Rejected


def test_what_a_plugin_sees_is_the_envelope_and_not_the_credential() -> None:
    assert set(Unverified.__struct_fields__) == {"token_type", "issuer", "header", "claims"}


@pytest.mark.parametrize("wrong", [API_KEY, [API_KEY], (API_KEY,), {API_KEY: 1}, frozenset({5}), 5])
@pytest.mark.parametrize("name", ["token_types", "issuers"])
def test_types_and_issuers_are_sets_of_texts_when_it_is_seated(name: str, wrong: object) -> None:
    taker = Taker(JWT, issuers={A})
    setattr(taker, name, wrong)
    with pytest.raises(TypeError, match=f"its {name} are no set of texts"):
        Seated("a", taker)


def test_what_it_said_when_it_was_seated_is_what_it_may_speak_for() -> None:
    taker = Taker(JWT, issuers={A})
    seated = takers(a=taker)
    taker.issuers = frozenset({B})
    assert seated.sole(written(JWT, A)).issuers == frozenset({A})
    assert isinstance(refused(seated, written(JWT, B)), IssuerNotTrusted)


DOTTED = Credential(token="an.opaque.token", token_type=ACCESS_TOKEN, role=Role.SUBJECT)


def test_what_looks_like_a_jwt_and_is_none_is_for_one_that_takes_tokens_without_an_issuer() -> None:
    opaque = Taker(ACCESS_TOKEN)
    assert takers(named=Taker(ACCESS_TOKEN, issuers={A}), opaque=opaque).taker(DOTTED)[0].plugin == "opaque"
    assert opaque.seen == [written(ACCESS_TOKEN)], "it is told that nothing is written on it"


@pytest.mark.parametrize("others", [{}, {"opaque": Taker(ACCESS_TOKEN, recognizes=False)}])
def test_where_nobody_takes_such_a_token_it_is_told_what_is_wrong_with_it(others: dict[str, Validator]) -> None:
    with pytest.raises(CredentialMalformed):
        takers(named=Taker(ACCESS_TOKEN, issuers={A}), **others).taker(DOTTED)


def test_a_type_that_nobody_takes_is_told_before_the_shape_of_the_token() -> None:
    with pytest.raises(TokenTypeNotEnabled):
        takers(named=Taker(JWT, issuers={A})).taker(DOTTED)


async def test_what_somebody_was_shown_to_recognize_is_not_taken_for_the_parts_of_the_credential() -> None:
    """The claims it was shown are a dictionary that it can write into (U5): they are read anew then."""
    credential = Credential(token=Forge(A, B, MovableClock()).jwt(), token_type=JWT, role=Role.SUBJECT)
    seat, parts = takers(named=Taker(JWT, issuers={A})).taker(credential)
    assert (seat.plugin, parts) == ("named", credential.apart())
    seat, parts = takers(asked=Taker(JWT)).taker(credential)
    assert (seat.plugin, parts) == ("asked", None)
