"""Wrong settings of the jwt plugin keep the service shut, and say what is wrong where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cambist import DidNotStart
from cambist.jwts import Jwts
from cambist.testing import Forge, MovableClock, open_sts
from cambist_jwt.settings import Issuer, JwtSettings

ISSUER = "https://issuer.example"
JWKS = Forge(ISSUER, "https://sts.example.test", MovableClock()).jwks


async def shut(*issuers: Any, table: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    with pytest.raises(DidNotStart) as refused:
        async with open_sts({"plugins": {"jwt": table if table is not None else {"issuers": list(issuers)}}, **settings}):
            pass
    return refused.value.problems


def issuer(**changes: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, "jwks": JWKS, **changes}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"jwks": JWKS}, "issuers.0.issuer: required"),
        (issuer(issuer=""), "issuers.0.issuer: String should have at least 1 character"),
        (issuer(jwks_url="https://keys.example"), "issuers.0: give one of jwks_url, jwks_file and jwks"),
        (issuer(jwks_file="keys.json"), "issuers.0: give one of jwks_url, jwks_file and jwks"),
        (issuer(algorithms=[]), "issuers.0.algorithms: Tuple should have at least 1 item after validation, not 0"),
        (issuer(types=[]), "issuers.0.types: Tuple should have at least 1 item after validation, not 0"),
        (issuer(leeway=301), "issuers.0.leeway: Input should be less than or equal to 300"),
        (issuer(leeway=-1), "issuers.0.leeway: Input should be greater than or equal to 0"),
        (issuer(max_lifetime=0), "issuers.0.max_lifetime: Input should be greater than 0"),
        (issuer(preset="openshift"), "issuers.0.preset: Input should be 'kubernetes'"),
        (issuer(audiences=["a"]), "issuers.0.audiences: unknown; did you mean audience?"),
        (issuer(jwks_uri="https://a.example"), "issuers.0.jwks_uri: unknown; did you mean jwks_url?"),
        (issuer(jwks=None, jwks_url="http://keys.example"), "issuers.0: jwks_url: only https is called, or http on this machine"),
        (issuer(jwks=None, jwks_url="keys.example"), "issuers.0: jwks_url: a URL without a host, or with a user in it"),
        (issuer(jwks=None, jwks_url="https://u:p@keys.example"), "issuers.0: jwks_url: a URL without a host, or with a user in it"),
        (
            {"issuer": "accounts.example"},
            "issuers.0: issuer, whose discovery document is asked for keys: a URL without a host, or with a user in it",
        ),
        (
            {"issuer": "http://issuer.example"},
            "issuers.0: issuer, whose discovery document is asked for keys: only https is called, or http on this machine",
        ),
    ],
)
async def test_one_problem_is_told_in_one_line(entry: dict[str, Any], said: str) -> None:
    assert await shut(entry) == [f"plugins.jwt.{said}"]


@pytest.mark.parametrize("algorithm", ["HS256", "none", "es256", "RSA1_5", ""])
async def test_an_algorithm_that_is_never_allowed_is_told_with_those_that_are(algorithm: str) -> None:
    [said] = await shut(issuer(algorithms=["ES256", algorithm]))
    assert said.startswith("plugins.jwt.issuers.0.algorithms.1: Input should be 'ES256', 'ES384'")
    assert "HS256" not in said


async def test_an_issuer_twice_is_told_by_name() -> None:
    assert await shut(issuer(), issuer(audience=["a"])) == [f"plugins.jwt: an issuer is listed twice: {ISSUER}"]


async def test_an_issuer_that_differs_in_a_slash_is_another_one() -> None:
    async with open_sts({"plugins": {"jwt": {"issuers": [issuer(), issuer(issuer=f"{ISSUER}/")]}}}) as sts:
        assert (await sts.http.get("/ready")).status_code == 200


async def test_no_issuers_are_no_settings() -> None:
    assert await shut(table={}) == ["plugins.jwt.issuers: required"]
    assert await shut() == ["plugins.jwt.issuers: Tuple should have at least 1 item after validation, not 0"]


async def test_everything_that_is_wrong_is_told_at_once() -> None:
    problems = await shut({"jwks": JWKS}, issuer(leeway=500), issuer(leway=5), table=None)
    assert [problem.split(": ")[0] for problem in problems] == [
        "plugins.jwt.issuers.0.issuer",
        "plugins.jwt.issuers.1.leeway",
        "plugins.jwt.issuers.2.leway",
    ]


@pytest.mark.parametrize(
    ("jwks", "cause"),
    [
        ({}, "it is not a JWK set"),
        ({"keys": []}, "there are none"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}]}, "a: not an asymmetric key"),
        ({"keys": [{**JWKS["keys"][0], "d": "c2VjcmV0"}]}, "k1: its private half is public, so it proves nothing"),
    ],
)
async def test_keys_that_cannot_be_used_are_told_with_their_issuer_and_without_themselves(jwks: dict[str, Any], cause: str) -> None:
    [said] = await shut(issuer(jwks=jwks))
    assert said.startswith("plugins.jwt: plugin jwt cannot open: ")
    assert f"the keys of {ISSUER}" in said
    assert cause in said
    assert "c2VjcmV0" not in said


@pytest.mark.parametrize("zone", ["default", "team"])
async def test_one_bad_key_among_many_issuers_keeps_the_service_shut_with_the_name_of_its_issuer(zone: str) -> None:
    many = [issuer(issuer=f"{ISSUER}/{number}") for number in range(200)]
    many[150]["jwks"] = {"keys": [{**JWKS["keys"][0], "d": "c2VjcmV0"}]}
    told = "plugin jwt cannot open: Unavailable: Something that is needed to decide is not available, so nothing was issued."
    why = f"what: the keys of {ISSUER}/150; cause: k1: its private half is public, so it proves nothing"
    if zone == "default":
        assert await shut(*many) == [f"plugins.jwt: {told}; {why}"]
    else:
        problems = await shut(issuer(), zones={zone: {"plugins": {"jwt": {"issuers": many}}}})
        assert problems == [f"zones.{zone}.plugins.jwt: {told}; {why}"]


async def test_a_key_file_that_is_not_there_is_told_when_it_opens(tmp_path: Path) -> None:
    [said] = await shut(issuer(jwks=None, jwks_file=str(tmp_path / "nowhere.json")))
    assert f"key file {tmp_path}/nowhere.json" in said
    assert "No such file or directory" in said


async def test_a_key_file_that_is_no_key_set_is_told_when_it_opens(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("[]")
    [said] = await shut(issuer(jwks=None, jwks_file=str(path)))
    assert "it is not a JWK set" in said


async def test_the_zones_own_issuer_cannot_be_somebody_elses_too() -> None:
    [said] = await shut(issuer(issuer="https://sts.example.test"))
    assert said == ("zone default: core and jwt both take urn:ietf:params:oauth:token-type:jwt of https://sts.example.test")


async def test_the_table_of_a_zone_is_told_by_its_own_path() -> None:
    problems = await shut(issuer(), zones={"team": {"plugins": {"jwt": {"issuers": [issuer(leeway=500)]}}}})
    assert problems == ["zones.team.plugins.jwt.issuers.0.leeway: Input should be less than or equal to 300"]


def test_what_is_not_said_is_what_the_readme_says() -> None:
    entry = Issuer(issuer=ISSUER)
    assert entry.algorithms == ("ES256", "RS256", "PS256", "EdDSA", "Ed25519")
    assert (entry.audience, entry.types) == ((), ("JWT", "at+jwt"))
    assert (entry.leeway, entry.max_lifetime, entry.delegation, entry.preset) == (60, 86_400, False, None)
    assert entry.default_target is None
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    for name in Issuer.model_fields:
        assert f"| `{name}` |" in readme, name


@pytest.mark.parametrize("shape", [Issuer, JwtSettings])
def test_every_setting_says_what_it_means_and_stays_as_it_is(shape: type[Issuer | JwtSettings]) -> None:
    assert all(field.description for field in shape.model_fields.values())
    with pytest.raises(ValidationError):
        JwtSettings(issuers=(Issuer(issuer=ISSUER),)).issuers = ()  # type: ignore[misc]  # frozen: that is what is tested


@pytest.mark.parametrize("tried", [False, True])
def test_keys_that_stand_in_the_settings_are_read_once(tried: bool) -> None:
    entry = Issuer.model_validate(issuer())
    nobody: Any = object()  # nobody is asked for them
    jwts = Jwts(nobody, MovableClock(), tried=tried)
    assert entry.expected(jwts).keys is entry.expected(jwts).keys


def test_issuers_that_are_alike_share_what_is_expected_of_them() -> None:
    """There may be thousands."""
    nobody: Any = object()
    jwts = Jwts(nobody, MovableClock())
    one, other, third = (
        Issuer.model_validate(issuer(issuer=f"{ISSUER}/{name}", **more)).expected(jwts, "JWT", "at+jwt")
        for name, more in (("a", {}), ("b", {}), ("c", {"algorithms": ["RS256"]}))
    )
    assert one.algorithms is other.algorithms
    assert one.types is other.types
    assert third.algorithms == {"RS256"}
