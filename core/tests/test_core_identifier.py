"""One name for each party in a zone: injective, reversible, and safe under every reading of a URI."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from cambist.identifier import identifier, named, plain, segment
from cambist.identity import Identity
from cambist.zone import Zone

ZONE = Zone(issuer="https://sts.example.test")
ROOT = "wimse://sts.example.test/"
TEXT = st.text(min_size=1)


def name(issuer: str, subject: str) -> str:
    return identifier(ZONE, Identity(issuer=issuer, subject=subject))


@given(TEXT, TEXT, TEXT, TEXT)
@example("a", "b/subject/c", "a/subject/b", "c")
@example("a", "B", "a", "b")
@example("a_2f", "b", "a/", "b")
@example("https://a", "b", "https://a/", "b")
def test_two_parties_never_share_a_name(issuer: str, subject: str, other_issuer: str, other_subject: str) -> None:
    """TX-43, RFC 8725bis section 3.8."""
    assume((issuer, subject) != (other_issuer, other_subject))
    assert name(issuer, subject) != name(other_issuer, other_subject)


@given(TEXT, TEXT)
def test_a_name_can_be_undone(issuer: str, subject: str) -> None:
    assume(issuer != ZONE.issuer)
    kind, theirs, separator, whose = name(issuer, subject).removeprefix(ROOT).split("/")
    assert (kind, plain(theirs), separator, plain(whose)) == ("issuer", issuer, "subject", subject)


@given(TEXT)
@example("..")
@example(".")
@example("%2e%2e")
@example("\ud800")
def test_a_segment_reads_alike_under_every_reading_of_a_uri(text: str) -> None:
    found = segment(text)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", found)
    assert found not in (".", "..")
    assert plain(found) == text


@given(TEXT, TEXT)
def test_nobody_of_another_issuer_is_an_application(issuer: str, subject: str) -> None:
    assume(issuer != ZONE.issuer)
    assert not name(issuer, subject).startswith(f"{ROOT}application/")


def test_an_application_is_named_by_its_id() -> None:
    assert name(ZONE.issuer, "ci") == f"{ROOT}application/ci"
    assert name(ZONE.issuer, "a_b.c") == f"{ROOT}application/a_5fb.c"


@given(TEXT, TEXT)
def test_who_comes_with_a_token_of_the_zone_keeps_the_name(issuer: str, subject: str) -> None:
    first = name(issuer, subject)
    assert name(ZONE.issuer, first) == first


def test_a_name_of_another_zone_is_no_name_here() -> None:
    other = Zone(issuer="https://sts.example.test", id="other")
    assert identifier(other, Identity(issuer=other.issuer, subject=f"{ROOT}application/ci")) != f"{ROOT}application/ci"


def test_the_example_of_the_documentation_is_true() -> None:
    assert name("https://kubernetes.default.svc", "system:serviceaccount:shop:checkout") == (
        f"{ROOT}issuer/https_3a_2f_2fkubernetes.default.svc/subject/system_3aserviceaccount_3ashop_3acheckout"
    )


@pytest.mark.row("F-zone")
@pytest.mark.parametrize(
    ("zone", "authority"),
    [
        (Zone(issuer="https://STS.example.test:8443/x"), "sts.example.test"),
        (Zone(issuer="https://sts.example.test", id="b"), "b.sts.example.test"),
        (Zone(issuer="https://sts.example.test", id="b", trust_domain="prod.example.test"), "prod.example.test"),
        (Zone(), ""),
    ],
)
def test_the_trust_domain_is_made_of_the_issuer_and_the_zone(zone: Zone, authority: str) -> None:
    assert zone.authority == authority


@pytest.mark.parametrize(
    "text", ["", ROOT, f"{ROOT}elsewhere", f"{ROOT}issuer/a", f"{ROOT}application/a/b", "wimse://other.test/application/a"]
)
def test_what_is_no_name_of_a_party_names_nobody(text: str) -> None:
    assert named(ZONE, text) is None


def test_a_party_is_its_issuer_and_its_subject_whatever_else_is_said_of_it() -> None:
    party = Identity(issuer="a", subject="b", attributes={"team": "x"})
    assert party.same_as(Identity(issuer="a", subject="b"))
    assert not party.same_as(Identity(issuer="c", subject="b"))
    assert not party.same_as(Identity(issuer="a", subject="c"))
