"""A JWT is believed when it is exactly what was expected, and refused with the reason when it is not."""

from __future__ import annotations

import hmac
import math
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import ECKey

from cambist import CredentialMalformed, Expected, Expired, NotYetValid, Rejected, SignatureInvalid, Verified
from cambist.compact import Compact, base64url, encode
from cambist.egress import Egress, EgressSettings
from cambist.errors import AlgorithmRefused, AudienceMissing, IssuerNotTrusted, KeyUnknown, KindMismatch, Refusal
from cambist.identity import Identity, MayAct
from cambist.jwts import Jwts, media_type
from cambist.testing import ABSENT, Forge, MovableClock
from cambist.testing.changes import plain_changes

ISSUER, STS = "https://issuer.example", "https://sts.example"


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was called")


HTTP = Egress(EgressSettings(), httpx.MockTransport(nobody))


class Bench:
    """One issuer, one verifier, one clock."""

    def __init__(self, algorithm: str = "ES256", **expected: Any) -> None:
        self.clock = MovableClock()
        self.forge = Forge(ISSUER, STS, self.clock, algorithm=algorithm)
        self.jwts = Jwts(HTTP, self.clock)
        defaults: dict[str, Any] = {
            "issuer": ISSUER,
            "keys": self.jwts.keys(ISSUER, jwks=self.forge.jwks),
            "algorithms": frozenset({algorithm}),
        }
        self.expected = Expected(**(defaults | expected))

    async def verify(self, token: str) -> Verified:
        return await self.jwts.verify(token, self.expected)

    async def accepted(self, token: str) -> None:
        assert (await self.verify(token)).expected is self.expected

    async def refused(self, token: str) -> Refusal:
        with pytest.raises(Refusal) as raised:
            await self.verify(token)
        assert raised.value.said
        return raised.value


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "Ed25519"])
async def test_a_good_token_of_every_algorithm_is_believed(algorithm: str) -> None:
    bench = Bench(algorithm)
    verified = await bench.verify(bench.forge.jwt(sub="a"))
    assert (verified.subject, verified.audience, verified.expires_at) == ("a", frozenset({STS}), bench.clock() + 600)


async def test_both_names_of_ed25519_verify_one_key() -> None:
    bench = Bench("Ed25519", algorithms=frozenset({"EdDSA", "Ed25519"}))
    for name in ("EdDSA", "Ed25519"):
        assert (await bench.verify(bench.forge.jwt({"alg": name}, sub=name))).subject == name
    old = Bench("Ed25519", algorithms=frozenset({"EdDSA"}))
    assert isinstance(await old.refused(old.forge.jwt()), AlgorithmRefused)


async def test_what_is_read_is_what_was_signed() -> None:
    bench = Bench()
    payload = msgspec.json.encode(bench.forge.claims(sub="ä\\u0000"))
    token = bench.forge.signed({"alg": "ES256", "kid": "k1"}, payload)
    assert (await bench.verify(token)).claims == msgspec.json.decode(payload)


# ── the header ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "algorithm",
    [
        "none",
        "None",
        "NONE",
        "noNE",
        "nOnE ",
        "",
        "HS256",
        "HS512",
        "es256",
        "ES256 ",
        "ES384",
        "RS256",
        "PS256",
        "RSA1_5",
        "dir",
        None,
        5,
        0,
        True,
        [],
        ["ES256"],
        {},
        ABSENT,
    ],
)
async def test_an_algorithm_that_is_not_allowed_is_refused(algorithm: object) -> None:
    bench = Bench()
    assert isinstance(await bench.refused(bench.forge.jwt({"alg": algorithm})), AlgorithmRefused)


async def test_hmac_and_none_cannot_be_allowed() -> None:
    bench = Bench(algorithms=frozenset({"ES256", "HS256", "none"}))
    signed = bench.forge.jwt().rpartition(".")[0].partition(".")[2]
    public = msgspec.json.encode(bench.forge.jwks["keys"][0])
    for algorithm in ("HS256", "none"):
        text = f"{encode(msgspec.json.encode({'alg': algorithm, 'kid': 'k1'}))}.{signed}"
        forged = hmac.digest(public, text.encode(), "sha256")
        assert isinstance(await bench.refused(f"{text}.{encode(forged)}"), AlgorithmRefused)


@pytest.mark.parametrize(
    ("algorithm", "other"), [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("ES256", "ES384"), ("ES256", "Ed25519")]
)
async def test_a_key_is_not_used_with_another_algorithm_than_its_own(algorithm: str, other: str) -> None:
    bench = Bench(algorithm, algorithms=frozenset({algorithm, other}))
    assert isinstance(await bench.refused(bench.forge.jwt({"alg": other})), KeyUnknown)


@pytest.mark.parametrize("typ", ["JWT", "jwt", "Jwt", "application/jwt", "APPLICATION/JWT", ABSENT])
async def test_a_plain_type_is_accepted_in_every_spelling(typ: object) -> None:
    bench = Bench()
    await bench.accepted(bench.forge.jwt({"typ": typ}))


@pytest.mark.parametrize(
    "typ",
    [
        "at+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "logout+jwt",
        "wit+jwt",
        "wpt+jwt",
        "oauth-authz-req+jwt",
        "entity-statement+jwt",
        "statuslist+jwt",
        "client-authentication+jwt",
        "txntoken+jwt",
        "text/jwt",
        "JOSE",
        "JWT ",
        "",
        None,
        5,
        ["JWT"],
        {"a": "JWT"},
        False,
    ],
)
async def test_a_token_of_another_kind_is_refused_whatever_it_says_otherwise(typ: object) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt({"typ": typ}))
    assert (type(refusal), refusal.said) == (KindMismatch, "a token of this kind is not accepted here")


def test_a_media_type_is_compared_without_case_and_with_application_implied() -> None:
    assert {media_type(typ) for typ in ("AT+JWT", "application/at+jwt", "at+jwt")} == {"at+jwt"}
    assert media_type("text/at+jwt") == "text/at+jwt"


@pytest.mark.parametrize("kid", [5, None, ["k1"], {"k": 1}, True, "k" * 257])
async def test_a_kid_is_a_short_text(kid: object) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt({"kid": kid}))
    assert (type(refusal), refusal.said) == (CredentialMalformed, "kid is not a short string")


@pytest.mark.parametrize(
    "kid", ["", "k2", "K1", "k1 ", "../../dev/null", "' or 1=1 --", "$(id)", "k1\x00", "k1\r\nx: y", "\x1b[2J", "k" * 256]
)
async def test_a_kid_is_compared_and_nothing_else(kid: str) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt({"kid": kid}))
    assert isinstance(refusal, KeyUnknown)
    assert refusal.seen == {"kid": kid, "alg": "ES256"}


@pytest.mark.parametrize(
    "member",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["alg"]},
        {"crit": "b64"},
        {"crit": None},
        {"crit": ["x"] * 500, "x": 1},
        {"b64": False},
        {"b64": True},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"zip": None},
    ],
)
async def test_an_extension_that_must_be_understood_ends_it(member: dict[str, Any]) -> None:
    bench = Bench()
    assert isinstance(await bench.refused(bench.forge.jwt(member)), CredentialMalformed)


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
async def test_a_token_does_not_bring_its_own_trust(name: str) -> None:
    bench, attacker = Bench(), Forge(ISSUER, STS, MovableClock())
    public = attacker.jwks["keys"][0]
    brought = {"jwk": public, "jku": "https://evil.example/jwks", "x5u": "http://169.254.169.254/", "x5c": ["MIIB"]}.get(name, "AAAA")
    assert isinstance(await bench.refused(attacker.jwt({name: brought})), SignatureInvalid)
    await bench.accepted(bench.forge.jwt({name: brought}))  # never read: it does no harm to a good token either


async def test_without_a_kid_the_only_key_is_taken() -> None:
    bench = Bench()
    await bench.accepted(bench.forge.jwt({"kid": ABSENT}))


# ── the signature ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_signature_by_another_key_of_the_same_name_is_refused() -> None:
    bench = Bench()
    refusal = await bench.refused(Forge(ISSUER, STS, bench.clock).jwt())
    assert (type(refusal), refusal.seen) == (SignatureInvalid, {"kid": "k1", "alg": "ES256"})


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "RS256", "PS256", "Ed25519"])
async def test_a_signature_of_another_length_or_of_nothing_is_refused(algorithm: str) -> None:
    bench = Bench(algorithm)
    signed, _, signature = bench.forge.jwt().rpartition(".")
    raw = base64url(signature)
    for wrong in (b"\x00", b"\x00" * len(raw), raw[:-1], raw + b"\x00", b"\x00" + raw, raw[len(raw) // 2 :], b"\xff" * len(raw), raw * 2):
        assert isinstance(await bench.refused(f"{signed}.{encode(wrong)}"), SignatureInvalid)


async def test_an_ecdsa_signature_is_r_and_s_within_the_order_and_never_der() -> None:
    bench, order = Bench(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    signed, _, signature = bench.forge.jwt().rpartition(".")
    raw = base64url(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    for one, two in ((0, s), (r, 0), (0, 0), (1, 1), (order, s), (r, order), (r, order + 1), (s, r)):
        assert isinstance(await bench.refused(f"{signed}.{encode(one.to_bytes(32, 'big') + two.to_bytes(32, 'big'))}"), SignatureInvalid)
    assert isinstance(await bench.refused(f"{signed}.{encode(encode_dss_signature(r, s))}"), SignatureInvalid)


async def test_a_key_that_fails_inside_is_a_bad_signature_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> bytes:
        raise ValueError("inside")

    bench = Bench()
    token = bench.forge.jwt()
    monkeypatch.setattr(ECKey, "get_op_key", fails)
    assert isinstance(await bench.refused(token), SignatureInvalid)


# ── issuer, subject, audience ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER + "/",
        ISSUER.upper(),
        "http://issuer.example",
        ISSUER + ":443",
        "https://user@issuer.example",
        ISSUER + "#",
        ISSUER + "?",
        f" {ISSUER}",
        "https://issuеr.example",
        "",
        None,
        5,
        [ISSUER],
        {"a": ISSUER},
        ABSENT,
    ],
)
async def test_an_issuer_is_compared_letter_by_letter(issuer: object) -> None:
    bench = Bench()
    assert isinstance(await bench.refused(bench.forge.jwt(iss=issuer)), IssuerNotTrusted)


@pytest.mark.parametrize("subject", [ABSENT, None, "", 5, True, ["a"], {"a": "b"}])
async def test_a_subject_is_text(subject: object) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt(sub=subject))
    assert (type(refusal), refusal.said) == (CredentialMalformed, "sub is missing or not text")


@pytest.mark.parametrize("audience", [ABSENT, None, "", 5, True, [], [""], [STS, ""], [STS, 5], [STS, None], [[STS]], {"a": STS}])
async def test_an_audience_is_text_or_a_list_of_texts(audience: object) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt(aud=audience))
    assert (type(refusal), refusal.said) == (AudienceMissing, "aud is missing, or neither text nor a list of texts")


async def test_several_audiences_are_reported_as_they_are() -> None:
    bench = Bench()
    assert (await bench.verify(bench.forge.jwt(aud=[STS, "https://other.example", STS]))).audience == {STS, "https://other.example"}


@pytest.mark.parametrize("shape", [{"events": {}}, {"vct": "x"}, {"htm": "POST", "htu": STS}, {"events": None}])
async def test_a_security_event_or_a_proof_is_no_credential(shape: dict[str, Any]) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt({"typ": ABSENT}, **shape))
    assert (type(refusal), refusal.said) == (KindMismatch, "a token of this kind is not accepted here")


async def test_a_method_alone_makes_no_proof_of_it() -> None:
    bench = Bench()
    await bench.accepted(bench.forge.jwt(htm="POST"))
    await bench.accepted(bench.forge.jwt(htu=STS))


def one(name: str, value: object) -> dict[str, Any]:
    return {name: value}


def many(number: int) -> dict[str, Any]:
    return {f"c{n}": n for n in range(number)}


async def test_more_claims_than_anybody_needs_are_refused() -> None:
    bench = Bench()
    await bench.accepted(bench.forge.jwt(**many(494)))
    refusal = await bench.refused(bench.forge.jwt(**many(495)))
    assert (type(refusal), refusal.said) == (CredentialMalformed, "too many claims")


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1800015000", True, False, None, [], {}, 0, -1, 1_800_015_000_000, 10**18, 10**400, 7_258_118_400])
async def test_a_time_is_a_number_of_seconds_between_1970_and_2200(name: str, value: Any) -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt(**{name: value}))
    assert (type(refusal), refusal.said) == (CredentialMalformed, f"{name} is not a time in seconds")


async def test_a_time_may_have_a_fraction() -> None:
    bench = Bench()
    assert (await bench.verify(bench.forge.jwt(exp=bench.clock() + 10.5))).expires_at == bench.clock() + 10.5
    await bench.accepted(bench.forge.jwt(nbf=0.5))  # also of the first second that there was


async def test_an_expiry_is_required() -> None:
    bench = Bench()
    refusal = await bench.refused(bench.forge.jwt(exp=ABSENT))
    assert (type(refusal), refusal.said) == (CredentialMalformed, "exp is missing")


async def test_there_is_no_leeway_after_the_end() -> None:
    bench = Bench(leeway=300.0)
    token = bench.forge.jwt()
    bench.clock.move(599.999)
    await bench.accepted(token)
    bench.clock.move(0.001)
    assert isinstance(await bench.refused(token), Expired)
    bench.clock.move(61)
    refusal = await bench.refused(token)
    assert refusal.said == "it expired 61 seconds ago"
    assert refusal.seen == {"exp": int(bench.clock()) - 61, "now": int(bench.clock())}


async def test_a_grace_is_given_only_where_it_is_asked_for() -> None:
    bench = Bench(grace=10.0)
    token = bench.forge.jwt()
    bench.clock.move(609)
    await bench.accepted(token)
    bench.clock.move(1)
    assert isinstance(await bench.refused(token), Expired)


@pytest.mark.parametrize("name", ["iat", "nbf"])
async def test_a_clock_that_is_ahead_is_forgiven_as_far_as_the_leeway(name: str) -> None:
    bench = Bench(leeway=30.0)
    now = int(bench.clock())
    await bench.accepted(bench.forge.jwt(**one(name, now + 30)))
    refusal = await bench.refused(bench.forge.jwt(**one(name, now + 31)))
    assert (type(refusal), refusal.said) == (NotYetValid, "it is valid in 31 seconds")
    begins, issued = (now + 31, now) if name == "nbf" else (None, now + 31)
    assert (refusal.expected, refusal.seen) == ({"leeway": 30.0}, {"nbf": begins, "iat": issued, "now": now})


async def test_neither_iat_nor_nbf_is_required_and_both_bind() -> None:
    bench = Bench(leeway=0.0)
    now = int(bench.clock())
    await bench.accepted(bench.forge.jwt(iat=ABSENT))
    await bench.accepted(bench.forge.jwt(iat=now, nbf=now - 1000))
    assert isinstance(await bench.refused(bench.forge.jwt(iat=now - 10, nbf=now + 1)), NotYetValid)
    assert isinstance(await bench.refused(bench.forge.jwt(iat=now + 1, nbf=now - 10)), NotYetValid)


async def test_it_does_not_expire_before_it_was_issued() -> None:
    bench = Bench(leeway=300.0)
    now = int(bench.clock())
    for issued in (now + 10, now + 11):
        refusal = await bench.refused(bench.forge.jwt(iat=issued, exp=now + 10))
        assert (type(refusal), refusal.said) == (Rejected, "it expires before it was issued")


async def test_where_nothing_is_said_clocks_may_differ_by_a_minute_and_a_token_lives_for_a_day() -> None:
    bench, now = Bench(), int(MovableClock()())
    await bench.accepted(bench.forge.jwt(iat=now + 60))
    assert isinstance(await bench.refused(bench.forge.jwt(iat=now + 61)), NotYetValid)
    await bench.accepted(bench.forge.jwt(iat=now, exp=now + 86_400))
    assert (await bench.refused(bench.forge.jwt(iat=now, exp=now + 86_401))).expected == {"max_lifetime": 86_400.0}


@pytest.mark.parametrize("issued", [-1000, ABSENT])
async def test_it_does_not_live_longer_than_is_accepted(issued: Any) -> None:
    bench = Bench(max_lifetime=3600.0)
    now = int(bench.clock())
    start = now if issued is ABSENT else now + issued
    iat = ABSENT if issued is ABSENT else start
    await bench.accepted(bench.forge.jwt(iat=iat, exp=start + 3600))
    refusal = await bench.refused(bench.forge.jwt(iat=iat, exp=start + 3601))
    assert (type(refusal), refusal.expected, refusal.seen) == (Rejected, {"max_lifetime": 3600.0}, {"lifetime": 3601.0})
    assert "lives for 3601 seconds, and 3600 are accepted" in refusal.said


# ── what it proves ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_proof_has_the_bounds_of_the_token() -> None:
    bench = Bench(audiences=frozenset({"https://other.example"}))
    proven = (await bench.verify(bench.forge.jwt(sub="a", jti="id", scope="read  write", team="x"))).proven()
    assert proven.identity == Identity(issuer=ISSUER, subject="a")
    assert proven.identity.attributes["team"] == "x"
    assert (proven.expires_at, proven.token_id, proven.single_use_until) == (bench.clock() + 600, "id", None)
    assert proven.audience == frozenset({STS})
    assert proven.meant_for == {"https://other.example"}
    assert proven.scope == frozenset({"read", "write"})
    assert (proven.confirmation, proven.chain, proven.may_act, proven.transaction) == (None, (), None, None)


async def test_what_the_token_does_not_say_is_no_bound_and_an_empty_scope_is_one() -> None:
    bench = Bench()
    assert (await bench.verify(bench.forge.jwt(jti=ABSENT))).proven().scope is None
    assert (await bench.verify(bench.forge.jwt(jti=ABSENT))).proven().token_id is None
    assert (await bench.verify(bench.forge.jwt(scope=""))).proven().scope == frozenset()


async def test_who_asks_for_more_adds_or_replaces() -> None:
    bench = Bench()
    proven = (await bench.verify(bench.forge.jwt())).proven(expires_at=math.inf, audience=None, transaction="t")
    assert (proven.expires_at, proven.audience, proven.transaction) == (math.inf, None, "t")


@pytest.mark.parametrize(("name", "value"), [("scope", ["read"]), ("scope", 5), ("jti", 5), ("jti", ["a"])])
async def test_a_claim_that_must_be_text_is_text(name: str, value: Any) -> None:
    bench = Bench()
    with pytest.raises(CredentialMalformed, match=f"the claim {name} is not text"):
        (await bench.verify(bench.forge.jwt(**{name: value}))).proven()


@pytest.mark.parametrize("cnf", [{"jkt": "thumb"}, {"jkt": "thumb", "x5t#S256": "other"}])
async def test_a_bound_token_is_reported_with_its_key(cnf: dict[str, Any]) -> None:
    bench = Bench()
    assert (await bench.verify(bench.forge.jwt(cnf=cnf))).proven().confirmation == "thumb"


@pytest.mark.parametrize("cnf", [{}, {"x5t#S256": "a"}, {"jwk": {}}, {"jkt": 5}, {"jkt": None}, "thumb", [], None, 0, False])
async def test_a_binding_that_cannot_be_checked_is_still_one(cnf: object) -> None:
    bench = Bench()
    assert (await bench.verify(bench.forge.jwt(cnf=cnf))).proven().confirmation == "unsupported"


async def test_a_chain_of_actors_is_taken_latest_first_from_an_issuer_that_may_assert_one() -> None:
    bench = Bench(may_delegate=True)
    act = {"sub": "b", "act": {"sub": "c", "iss": "https://other.example", "act": {"sub": "d"}}}
    assert (await bench.verify(bench.forge.jwt(act=act))).proven().chain == (
        Identity(issuer=ISSUER, subject="b"),
        Identity(issuer="https://other.example", subject="c"),
        Identity(issuer=ISSUER, subject="d"),
    )


@pytest.mark.parametrize("act", [{"sub": "b"}, {}, None, "b"])
async def test_a_chain_of_an_issuer_that_may_not_assert_one_is_not_laundered(act: object) -> None:
    bench = Bench()
    with pytest.raises(Rejected, match="may not assert a delegation"):
        (await bench.verify(bench.forge.jwt(act=act))).proven()


NO_PARTY: list[Any] = [
    None,
    "b",
    [],
    {},
    {"iss": ISSUER},
    {"sub": ""},
    {"sub": 5},
    {"sub": "b", "iss": ""},
    {"sub": "b", "iss": None},
    {"sub": "b", "iss": [ISSUER]},
]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("party", NO_PARTY)
async def test_an_actor_has_a_name(party: object, inside: bool) -> None:
    bench = Bench(may_delegate=True)
    with pytest.raises(CredentialMalformed, match=r"^act does not name an actor"):
        (await bench.verify(bench.forge.jwt(act={"sub": "b", "act": party} if inside else party))).proven()


async def test_whom_the_issuer_lets_act_is_reported() -> None:
    bench = Bench()
    assert (await bench.verify(bench.forge.jwt(may_act={"sub": "b"}))).proven().may_act == MayAct(subject="b", issuer=ISSUER)
    other = {"sub": "b", "iss": "https://other.example"}
    assert (await bench.verify(bench.forge.jwt(may_act=other))).proven().may_act == MayAct(subject="b", issuer="https://other.example")


@pytest.mark.parametrize("party", NO_PARTY)
async def test_a_rule_about_actors_that_names_nobody_is_not_dropped(party: object) -> None:
    bench = Bench()
    with pytest.raises(CredentialMalformed, match=r"^may_act does not name an actor"):
        (await bench.verify(bench.forge.jwt(may_act=party))).proven()


async def test_a_condition_on_actors_that_is_not_understood_cannot_be_met() -> None:
    bench = Bench()
    with pytest.raises(Rejected) as refused:
        (await bench.verify(bench.forge.jwt(may_act={"sub": "b", "email": "x", "aud": "y"}))).proven()
    assert refused.value.seen == ["aud", "email"]


async def test_it_does_not_expire_before_it_is_valid() -> None:
    bench = Bench()
    now = int(bench.clock())
    for begins in (now + 20, now + 30):
        refusal = await bench.refused(bench.forge.jwt(nbf=begins, exp=now + 20, iat=now))
        assert refusal.said == "it expires before it is valid"


async def test_what_is_done_to_one_tokens_header_does_nothing_to_the_next() -> None:
    bench = Bench()
    one = Compact.parse(bench.forge.jwt())
    assert isinstance(one.header, dict)
    one.header["alg"] = "none"
    assert Compact.parse(bench.forge.jwt()).header["alg"] == "ES256"
    await bench.accepted(bench.forge.jwt())


# ── a signature that was verified before ────────────────────────────────────────────────────────────────


async def test_a_token_that_was_believed_is_judged_again_but_for_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    token = bench.forge.jwt()
    await bench.accepted(token)
    monkeypatch.setattr("cambist.jwts.JWSRegistry.algorithms", {})  # nobody can verify any more
    await bench.accepted(token)
    bench.clock.move(601)
    assert isinstance(await bench.refused(token), Expired)


async def test_every_small_change_of_a_token_that_was_believed_is_refused() -> None:
    bench = Bench()
    token = bench.forge.jwt()
    await bench.accepted(token)
    for changed in plain_changes(token):
        await bench.refused(changed)


async def test_a_signature_that_was_refused_is_refused_again() -> None:
    bench = Bench()
    token = Forge(ISSUER, STS, bench.clock).jwt({"kid": Compact.parse(bench.forge.jwt()).header["kid"]})
    for _ in range(2):
        assert isinstance(await bench.refused(token), SignatureInvalid)


async def test_keys_that_are_fetched_anew_have_verified_nothing() -> None:
    bench = Bench()
    token = bench.forge.jwt()
    await bench.accepted(token)
    other = Forge(ISSUER, STS, bench.clock)
    kid = Compact.parse(token).header["kid"]
    replaced = {"keys": [{**key, "kid": kid} for key in other.jwks["keys"]]}
    renewed = Bench(keys=bench.jwts.keys(ISSUER, jwks=replaced))
    assert isinstance(await renewed.refused(token), SignatureInvalid)
