"""A token is drawn so that a person sees who it is and who acts for whom."""

from __future__ import annotations

import pytest

from cambist import CredentialMalformed
from cambist.testing import Forge, MovableClock
from cambist_hostapp.tree import drawn

clock = MovableClock()
forge = Forge("https://issuer.example.test", "https://sts.example.test", clock)


def test_a_token_is_drawn_with_its_header_claims_and_times() -> None:
    lines = list(drawn(forge.jwt(sub="checkout"), clock()))
    assert lines[0].startswith("JWT  alg ES256  typ JWT  kid k1")
    assert "├── sub        checkout" in lines
    assert any("exp" in line and "(in 600 s)" in line for line in lines)


def test_an_expired_token_says_how_long_ago() -> None:
    assert any("exp" in line and "(5 s ago)" in line for line in drawn(forge.jwt(), clock() + 605))


def test_a_chain_of_actors_is_drawn_the_latest_first_down_to_the_subject() -> None:
    token = forge.jwt(sub="alice", act={"sub": "agent-2", "act": {"sub": "agent-1"}})
    actors = [line for line in drawn(token, clock()) if line.startswith("└──")]
    assert [line.split()[-1] for line in actors] == ["agent-2", "agent-1", "alice"]
    assert [line.index("a") for line in actors[:2]] == sorted(line.index("a") for line in actors[:2])


def test_who_may_act_is_shown() -> None:
    assert any(line == "├── may_act    agent-1" for line in drawn(forge.jwt(may_act={"sub": "agent-1"}), clock()))


@pytest.mark.parametrize("hostile", [True, "soon", 1e300, -1])
def test_a_time_that_is_none_is_shown_as_it_stands(hostile: object) -> None:
    assert any(str(hostile) in line for line in drawn(forge.jwt(exp=hostile), clock()))


def test_what_is_no_jwt_is_said_to_be_none() -> None:
    with pytest.raises(CredentialMalformed):
        list(drawn("not.a", clock()))
