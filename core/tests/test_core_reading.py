"""What both dialects read alike: credentials, scope, targets, the execution scope, and features that are not there."""

from __future__ import annotations

import string
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.credential import Role
from cambist.errors import (
    MediaTypeUnsupported,
    MethodNotAllowed,
    ParameterInvalid,
    ParameterMissing,
    ParameterUnsupported,
    ScopeMalformed,
)
from cambist.request import ExecutionScope
from cambist.token_type import JWT
from cambist.wire import reading
from cambist.wire.call import Call
from cambist.wire.parameters import FORM, JSON, Parameters

HASH = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
SCOPE_CHARACTERS = "".join(c for c in string.printable[:94] if c not in '"\\')
ACTION = {"htm": "POST", "htu": "https://api.test/orders", "nonce": "n-1", "payload_hash": HASH}


def call(document: object = None, **changes: Any) -> Call:
    body = msgspec.json.encode({} if document is None else document)
    return Call(**{"method": "POST", "path": "/", "headers": (("content-type", JSON),), "body": body, **changes})


# ── the call ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS", "post", "P" * 100])
def test_only_post_is_taken(method: str) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        reading.given(call(method=method), JSON, {})
    assert refused.value.seen == method[:20]


def test_what_went_wrong_before_is_told_before_anything_is_read() -> None:
    trouble = ParameterInvalid("trouble")
    with pytest.raises(ParameterInvalid, match="trouble"):
        reading.given(call(trouble=trouble, headers=()), JSON, {})


def test_parameters_in_the_url_are_refused() -> None:
    """RFC 6749 section 3.2, TE-01: there they would be logged."""
    with pytest.raises(ParameterInvalid, match="not into the URL"):
        reading.given(call(query="grant_type=x"), JSON, {})


def test_the_other_media_type_is_taken_only_by_a_zone_that_accepts_it() -> None:
    accepts = {"default": frozenset[str](), "open": frozenset({JSON})}
    assert reading.given(call({"zone_id": "open"}), FORM, accepts).text("zone_id") == "open"
    for zone in ({}, {"zone_id": "default"}, {"zone_id": "unknown"}):
        with pytest.raises(MediaTypeUnsupported) as refused:
            reading.given(call(zone), FORM, accepts)
        assert (refused.value.expected, refused.value.seen) == ([FORM], JSON)


@pytest.mark.parametrize("name", reading.ABSENT_FEATURES)
@pytest.mark.parametrize("value", ["x", " ", 0, False, [], {}, ["a"]])
def test_a_feature_that_is_not_there_is_refused_by_name(name: str, value: object) -> None:
    """To ignore it would be to grant more than was asked for."""
    with pytest.raises(ParameterUnsupported, match=f"{name} is not supported") as refused:
        reading.given(call({name: value}), JSON, {})
    assert refused.value.seen == name


@pytest.mark.parametrize("name", reading.ABSENT_FEATURES)
def test_such_a_feature_may_be_left_blank(name: str) -> None:
    assert reading.given(call({name: ""}), JSON, {}).text(name) is None


def test_every_parameter_of_the_pages_is_read_or_refused_by_name() -> None:
    """SF-08: the form page's anchors and step-up; none of them may be one that nobody looks at."""
    page = {"session_id", "agent_session_id", "delegation_edge_id", "challenge_id", "challenge_response"}
    assert page <= set(reading.ABSENT_FEATURES)


# ── credentials ─────────────────────────────────────────────────────────────────────────────────────────


def read(role: Role = Role.SUBJECT, default_type: str | None = None, **values: object) -> Any:
    return reading.credential(Parameters(values), role, default_type)


def test_a_token_has_its_type_by_both_names() -> None:
    found = read(subject_token=" t\n", subject_token_type="URN:IETF:params:oauth:token-type:jwt")
    assert (found.token, found.token_type, found.wire_type) == ("t", JWT, "URN:IETF:params:oauth:token-type:jwt")
    assert found.role is Role.SUBJECT


def test_without_token_and_type_there_is_no_credential() -> None:
    assert read() is None
    assert read(Role.ACTOR, JWT) is None


def test_a_token_without_a_type_is_refused_unless_the_dialect_has_a_default() -> None:
    """TX-02, TX-03, TX-05."""
    for role in (Role.SUBJECT, Role.ACTOR):
        with pytest.raises(ParameterMissing, match=f"{role}_token_type is required"):
            read(role, **{f"{role}_token": "t"})
    assert read(Role.ACTOR, JWT, actor_token="t").token_type == JWT
    assert read(Role.ACTOR, JWT, actor_token="t", actor_token_type="urn:x:y").token_type == "urn:x:y"


@pytest.mark.parametrize("role", [Role.SUBJECT, Role.ACTOR])
def test_a_type_without_a_token_is_refused(role: Role) -> None:
    """TX-04."""
    with pytest.raises(ParameterMissing, match=f"{role}_token is required with {role}_token_type"):
        read(role, **{f"{role}_token_type": JWT})


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_blank_subject_takes_its_type_with_it(blank: str) -> None:
    """Decision 1."""
    assert read(subject_token=blank, subject_token_type=JWT) is None


@pytest.mark.parametrize("blank", ["", " \n"])
@pytest.mark.row("J-actor")
def test_a_blank_actor_with_a_type_is_refused(blank: str) -> None:
    """E1: whoever meant to delegate must not get an impersonation."""
    with pytest.raises(ParameterMissing, match="actor_token is required"):
        read(Role.ACTOR, actor_token=blank, actor_token_type=JWT)


# ── scope and targets ───────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.text(SCOPE_CHARACTERS, min_size=1, max_size=9), min_size=1, max_size=20))
def test_a_scope_is_its_tokens_each_once_in_order(tokens: list[str]) -> None:
    assert reading.scope(Parameters({"scope": " ".join(tokens)})) == tuple(dict.fromkeys(tokens))


def test_a_blank_scope_is_none() -> None:
    assert reading.scope(Parameters({})) == reading.scope(Parameters({"scope": ""})) == ()


@pytest.mark.parametrize("value", [" ", "a ", " a", "a  b", "a\tb", "a\nb", 'a"b', "a\\b", "é", "a\x00", "a\u00a0b", 5, ["a"], {}, False])
@pytest.mark.row("F-scope")
@pytest.mark.row("J-scope")
def test_a_malformed_scope_is_refused(value: object) -> None:
    """TX-13."""
    with pytest.raises(ScopeMalformed):
        reading.scope(Parameters({"scope": value}))


def test_a_scope_that_no_token_could_hold_is_refused() -> None:
    assert len(reading.scope(Parameters({"scope": "a" * 4096}))) == 1
    with pytest.raises(ScopeMalformed, match="longer than 4096"):
        reading.scope(Parameters({"scope": "a" * 4097}))


def test_audience_and_resource_together_are_the_targets() -> None:
    """TX-09."""
    assert reading.targets(Parameters({"resource": ["b", "a"], "audience": ["c", "a"]})) == ("c", "a", "b")
    assert reading.targets(Parameters({})) == ()


# ── the execution scope ─────────────────────────────────────────────────────────────────────────────────


def execution(**changes: object) -> ExecutionScope | None:
    return reading.execution(Parameters({"execution_scope": {**ACTION, **changes}}))


def test_a_complete_execution_scope_is_taken_as_it_is() -> None:
    assert execution() == ExecutionScope(**ACTION)
    assert reading.execution(Parameters({})) is None
    assert reading.execution(Parameters({"execution_scope": None})) is None


@pytest.mark.parametrize("name", ["htm", "htu", "nonce", "payload_hash"])
@pytest.mark.parametrize("value", [None, ""])
def test_every_member_is_needed(name: str, value: str | None) -> None:
    """SF-11: all or nothing; an empty object is nothing."""
    with pytest.raises(ParameterMissing, match=rf"execution_scope\.{name} is required"):
        execution(**{name: value})
    with pytest.raises(ParameterMissing):
        reading.execution(Parameters({"execution_scope": {}}))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_what_has_no_body_needs_no_hash_of_it(method: str) -> None:
    """Decision 13."""
    found = execution(htm=method, payload_hash=None)
    assert found is not None
    assert (found.htm, found.payload_hash) == (method, None)
    assert execution(htm=method) == ExecutionScope(**{**ACTION, "htm": method})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("htm", "post"),
        ("htm", "POST "),
        ("htm", "A" * 21),
        ("htu", "/orders"),
        ("htu", "https://api.test/#x"),
        ("htu", "ftp://api.test/"),
        ("htu", "https:orders"),
        ("htu", "https:///orders"),
        ("htu", "urn:api"),
        ("htu", "https://api.test/a b"),
        ("nonce", "n" * 257),
        ("nonce", "a\nb"),
        ("payload_hash", f"{HASH}="),
        ("payload_hash", HASH[:-1]),
        ("payload_hash", HASH[:-1] + "V"),
        ("payload_hash", HASH.replace("-", "+")),
        ("payload_hash", "AAAA"),
        ("htm", 5),
        ("htu", ["https://api.test/"]),
        ("nonce", True),
    ],
)
def test_a_member_with_a_wrong_value_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(ParameterInvalid, match=name):
        execution(**{name: value})


def test_a_member_that_is_not_known_is_refused() -> None:
    """It may be a bound that somebody relies on."""
    with pytest.raises(ParameterUnsupported) as refused:
        execution(exp=5, aaa=1)
    assert refused.value.seen == "aaa"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_whatever_stands_there_it_is_taken_or_refused(value: object) -> None:
    with suppress(ParameterInvalid, ParameterMissing, ParameterUnsupported):
        assert reading.execution(Parameters({"execution_scope": value})) is None
