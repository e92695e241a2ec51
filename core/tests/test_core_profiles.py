"""What an entitlement says as claims: by its dialect, and never what a policy would like to say in their place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Permit
from cambist.entitlement import Entitlement
from cambist.errors import IdentifierTooLong
from cambist.identity import Identity
from cambist.profiles import CLAIMS, PROTECTED, WORKLOAD_CLAIMS, access_token
from cambist.request import Dialect, ExchangeRequest, ExecutionScope
from cambist.target import Target
from cambist.testing import question
from cambist.zone import TOKEN_EXCHANGE, Zone

ZONE = Zone(id="shop", issuer="https://sts.example.test")
ROOT = "wimse://shop.sts.example.test/issuer/i/subject"


def who(subject: str) -> Identity:
    return Identity(issuer="i", subject=subject, attributes={"email": "private@example.test"})


def claims(dialect: Dialect = Dialect.OAUTH, added: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    wanted = {name: more.pop(name) for name in ("scope", "execution") if name in more}
    request = ExchangeRequest(dialect=dialect, grant_type=TOKEN_EXCHANGE, **wanted)
    asked = question(zone=ZONE, request=request, targets=tuple(Target(id=name) for name in more.pop("audience", ("x",))))
    ruling = Entitlement.narrowest(asked, Permit(multi_audience=True, claims=added or {}))
    changed = Entitlement(**{**{n: getattr(ruling, n) for n in Entitlement.__struct_fields__}, "subject": who("a"), **more})
    return dict(access_token(ZONE, changed, "decision-1"))


def test_the_least_that_a_token_says() -> None:
    """AT-02."""
    found = claims()
    assert set(found) == {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "txn", "zone_id"}
    assert (found["iss"], found["sub"], found["aud"], found["zone_id"]) == (ZONE.issuer, f"{ROOT}/a", "x", "shop")
    assert (found["client_id"], found["txn"], found["exp"] - found["iat"]) == ("workload-1", "decision-1", 300)


def test_all_that_it_can_say_of_itself() -> None:
    execution = ExecutionScope(htm="POST", htu="https://x.test/", nonce="n", payload_hash="h")
    found = claims(Dialect.V1, chain=(who("c"), who("b")), scope=("r", "w"), audience=("x", "y"), transaction="t-0", execution=execution)
    assert found["aud"] == ["x", "y"]
    assert found["scope"] == "r w"
    assert found["act"] == {"sub": f"{ROOT}/c", "act": {"sub": f"{ROOT}/b"}}
    assert found["exec"] == {"htm": "POST", "htu": "https://x.test/", "nonce": "n", "payload_hash": "h"}
    assert found["txn"] == "t-0"
    assert set(found) == set(CLAIMS)


def test_a_hash_that_was_not_sent_is_not_said() -> None:
    assert "payload_hash" not in claims(execution=ExecutionScope(htm="GET", htu="https://x.test/", nonce="n"))["exec"]


@pytest.mark.row("J-actor")
def test_the_latest_actor_stands_outermost_and_only_names_stand_inside() -> None:
    """TX-26, TX-27."""
    act = claims(chain=tuple(who(name) for name in "edcb"))["act"]
    names = []
    while act:
        assert set(act) <= {"sub", "act"}
        names.append(act["sub"])
        act = act.get("act")
    assert names == [f"{ROOT}/{name}" for name in "edcb"]


def test_only_clients_of_the_json_dialect_are_told_trust_domain_and_root_first_lineage() -> None:
    chain = (who("c"), who("b"))
    assert {"td", "obo"} & set(claims(chain=chain)) == set()
    found = claims(Dialect.V1, chain=chain)
    assert (found["td"], found["obo"]) == ("shop.sts.example.test", [f"{ROOT}/a", f"{ROOT}/b"])
    assert "obo" not in claims(Dialect.V1)


def test_claims_of_the_policy_for_workloads_are_for_the_json_dialect() -> None:
    added = {"caps": ["a"], "blast_radius": "low", "delegation_depth": 2, "team": "shop"}
    assert set(added) == WORKLOAD_CLAIMS | {"team"}
    assert {name: value for name, value in claims(Dialect.V1, added).items() if name in added} == added
    assert {name: value for name, value in claims(Dialect.OAUTH, added).items() if name in added} == {"team": "shop"}


@given(
    st.dictionaries(st.sampled_from(sorted(PROTECTED)) | st.text(max_size=8), st.integers() | st.text(max_size=5)),
    st.sampled_from(list(Dialect)),
)
def test_a_policy_never_overrides_what_core_says(added: dict[str, Any], dialect: Dialect) -> None:
    """Decision 24, TX-42, E9: not even a claim that this token happens not to have."""
    bare, found = claims(dialect), claims(dialect, added)
    for name in PROTECTED - {"jti"}:
        assert found.get(name) == bare.get(name)
    not_said = PROTECTED if dialect is Dialect.V1 else PROTECTED | WORKLOAD_CLAIMS
    assert {name: found[name] for name in set(found) - PROTECTED} == {name: added[name] for name in set(added) - not_said}


def test_the_protected_names_are_those_that_are_settled() -> None:
    settled = "iss sub aud exp iat nbf jti cnf act may_act use zone_id client_id scope"
    assert set(settled.split()) <= PROTECTED


def test_what_the_subjects_issuer_says_is_not_copied() -> None:
    """TX-41: data minimisation."""
    assert "private@example.test" not in str(claims(Dialect.V1, chain=(who("b"),)))


def test_every_token_has_an_id_of_128_random_bits() -> None:
    """TE-19."""
    ids = {claims()["jti"] for _ in range(100)}
    assert len(ids) == 100
    assert all(len(name) == 22 for name in ids)


def test_a_name_above_2048_bytes_is_refused_wherever_it_stands() -> None:
    with pytest.raises(IdentifierTooLong):
        claims(subject=who("/" * 700))
    with pytest.raises(IdentifierTooLong):
        claims(chain=(who("/" * 700),))
