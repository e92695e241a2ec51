"""A token is drawn so that a person sees who it is, who acts for whom, bound to what and until when."""

from __future__ import annotations

import pytest

from cambist import CredentialMalformed
from cambist.testing import ABSENT, Forge, MovableClock
from cambist_hostapp.tree import distance, drawn

clock = MovableClock()
forge = Forge("https://issuer.example.test", "https://sts.example.test", clock)


def tree(token: str, later: float = 0) -> list[str]:
    return list(drawn(token, clock() + later))


def branch(lines: list[str], name: str) -> str:
    """The text of the one branch of this name, wherever it hangs."""
    [text] = [text for found, text in map(_parts, lines) if found == name]
    return text


def _parts(line: str) -> tuple[str, str]:
    text = line.partition("── ")[2]
    return text[:13].strip(), text[13:].strip()


def test_the_first_lines_say_what_it_is_and_that_nothing_is_proved() -> None:
    first, second, *_ = tree(forge.jwt({"typ": "at+jwt"}))
    assert first == "access token (RFC 9068), signed ES256 by key k1"
    assert second.startswith("Nothing was verified")


def test_a_kind_that_is_not_known_is_shown_as_it_stands() -> None:
    assert tree(forge.jwt({"typ": "application/Foo+JWT"}))[0].startswith("token of the kind foo+jwt")


def test_who_vouches_for_the_subject_hangs_beneath_it() -> None:
    lines = tree(forge.jwt(sub="checkout"))
    assert lines[2:4] == ["├── subject       checkout", "│   └── vouched by    https://issuer.example.test"]


def test_a_chain_of_actors_is_drawn_the_latest_on_top_down_to_the_subject() -> None:
    lines = tree(forge.jwt(sub="alice", act={"sub": "agent-2", "iss": "https://b.example", "act": {"sub": "agent-1"}}))
    assert lines[2:6] == [
        "├── actor         agent-2 of https://b.example",
        "│   └── for           agent-1",
        "│       └── for           alice",
        "│           └── vouched by    https://issuer.example.test",
    ]


def test_who_may_act_for_whom_it_is_and_what_it_is_good_for_is_shown() -> None:
    lines = tree(forge.jwt(may_act={"sub": "agent-1"}, aud=["a", "b"], client_id="shop", scope="read write", zone_id="blue", txn="t1"))
    told = {name: branch(lines, name) for name in ("may act", "meant for", "asked for by", "scope", "zone", "transaction")}
    assert told == {
        "may act": "agent-1",
        "meant for": "a, b",
        "asked for by": "shop",
        "scope": "read write",
        "zone": "blue",
        "transaction": "t1",
    }


@pytest.mark.parametrize(
    ("cnf", "said"),
    [
        ({"jkt": "abc"}, "a key, by DPoP or a workload proof (thumbprint abc)"),
        ({"x5t#S256": "def"}, "a client certificate (thumbprint def)"),
        ({"new": "ghi"}, "new ghi"),
    ],
)
def test_what_it_is_bound_to_is_shown(cnf: dict[str, str], said: str) -> None:
    assert branch(tree(forge.jwt(cnf=cnf)), "bound to") == said


def test_the_one_action_that_it_is_good_for_is_shown() -> None:
    action = {"htm": "POST", "htu": "https://api.example/pay", "payload_hash": "x", "nonce": "n"}
    assert branch(tree(forge.jwt(exec=action)), "good for") == "POST https://api.example/pay and this very body once"


def test_times_are_shown_as_dates_and_as_distances() -> None:
    assert branch(tree(forge.jwt()), "valid until").endswith("UTC (in 10 min)")
    assert branch(tree(forge.jwt(), later=605), "valid until").endswith("(5 s ago)")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s ago"), (59, "in 59 s"), (-3661, "1 h 1 min ago"), (90_000, "in 1 d 1 h"), (86_400, "in 1 d")]
)
def test_a_distance_is_told_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert distance(seconds) == said


def test_any_other_claim_is_shown_also_of_tokens_that_are_not_ours() -> None:
    lines = tree(forge.jwt(iss="https://token.actions.githubusercontent.com", repository_id="74", groups=["a", "b"], nested={"x": [1]}))
    assert (branch(lines, "repository_id"), branch(lines, "groups"), branch(lines, "nested")) == ("74", "a, b", '{"x":[1]}')


@pytest.mark.parametrize("hostile", [True, "soon", 1e300, -1])
def test_a_time_that_is_none_is_shown_as_it_stands(hostile: object) -> None:
    assert branch(tree(forge.jwt(exp=hostile)), "valid until") in {"true", "soon", "1e300", "-1"}


def test_a_claim_cannot_steer_the_terminal() -> None:
    lines = tree(forge.jwt(sub="x\x1b[2J\u202ey", aud="z" * 2000))
    assert "\x1b" not in "".join(lines)
    assert "\u202e" not in "".join(lines)
    assert max(map(len, lines)) < 400


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (forge.jwt(exp=int(clock()) * 1000), "exp is not a time in seconds: it looks like milliseconds"),
        (forge.jwt(exp=ABSENT), "exp is missing: it never ends"),
        (forge.jwt(exp=int(clock()) - 1, iat=int(clock()) - 9), "it has expired by this machine's clock"),
        (forge.jwt(iat=int(clock()) + 700), "it ends before it begins"),
        (forge.jwt(nbf=int(clock()) + 60), "nbf is in the future by this machine's clock"),
        (forge.jwt(exp=int(clock()) + 30 * 86_400), "it lives for 30.0 days"),
        (forge.jwt(aud=["a", "b"]), "it is for 2 audiences"),
        (forge.jwt(aud=7), "aud"),
        (forge.jwt(sub=ABSENT), "sub is missing"),
        (forge.jwt(iss=ABSENT), "nobody vouches for it"),
        (forge.jwt(iss="kubernetes/serviceaccount"), "out of a Secret"),
        (forge.jwt(scope=["read"]), "scope is not text"),
        (forge.jwt(act={"sub": "a", "act": {"iss": "b"}}), "act names nobody, 2 deep"),
        (forge.jwt(may_act="agent"), "may_act names nobody"),
        (forge.jwt(cnf={}), "cnf binds it to nothing"),
        (forge.jwt(exec={"htm": "GET"}), "exec names no HTTP action"),
        (forge.jwt({"alg": "none"}), "alg is none: it is not signed"),
        (forge.jwt({"alg": "HS256"}), "'HS256', which is no signature by a private key"),
        (forge.jwt({"jku": "https://x.example"}), "jku stands in the header"),
        (forge.jwt({"crit": ["x"]}), "crit demands"),
    ],
)
def test_what_does_not_fit_is_pointed_at(token: str, said: str) -> None:
    lines = tree(token)
    found = lines[next(place for place, line in enumerate(lines) if line.startswith("└── does not fit")) + 1 :]
    assert any(said in line for line in found), found


def test_nothing_is_pointed_at_in_a_token_that_fits() -> None:
    assert not any("does not fit" in line for line in tree(forge.jwt(act={"sub": "a"}, scope="read")))


def test_what_is_no_jwt_is_said_to_be_none() -> None:
    with pytest.raises(CredentialMalformed):
        tree("not.a")
