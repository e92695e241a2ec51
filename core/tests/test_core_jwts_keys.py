"""Where the keys come from that a JWT is verified with, and who shares them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec
import pytest

from cambist import CredentialMalformed, Expected, Rejected, SignatureInvalid, Unavailable
from cambist.egress import Egress, EgressSettings
from cambist.errors import IssuerNotTrusted, KeyUnknown
from cambist.jwks import FileKeys, InlineKeys, RemoteKeys
from cambist.jwts import Jwts
from cambist.testing import ABSENT, Forge, MovableClock

ISSUER, STS = "https://issuer.example", "https://sts.example"


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request.url} was called")


HTTP = Egress(EgressSettings(), httpx.MockTransport(nobody))


def test_keys_come_from_the_one_place_that_is_named(tmp_path: Path) -> None:
    clock, path = MovableClock(), tmp_path / "keys.json"
    jwts, jwks = Jwts(HTTP, clock), Forge(ISSUER, STS, clock).jwks
    path.write_bytes(msgspec.json.encode(jwks))
    assert isinstance(jwts.keys(ISSUER, jwks=jwks), InlineKeys)
    assert isinstance(jwts.keys(ISSUER, file=path), FileKeys)
    assert isinstance(jwts.keys(ISSUER, jwks_url="https://keys.example"), RemoteKeys)
    assert isinstance(jwts.keys(ISSUER), RemoteKeys)


def test_a_key_file_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Jwts(HTTP, MovableClock()).keys(ISSUER, file=tmp_path / "nowhere.json")


async def test_a_key_file_that_cannot_be_read_any_more_is_warned_of(tmp_path: Path) -> None:
    clock, path = MovableClock(), tmp_path / "keys.json"
    path.write_bytes(msgspec.json.encode(Forge(ISSUER, STS, clock).jwks))
    jwts = Jwts(HTTP, clock)
    keys = jwts.keys(ISSUER, file=path)
    await keys.find("k1", "ES256")
    assert jwts.warnings() == {}
    path.unlink()
    clock.move(60)
    await keys.find("k1", "ES256")
    assert list(jwts.warnings()) == [f"keys in {path}"]


async def test_keys_are_fetched_as_often_as_the_settings_say_and_for_the_algorithms_that_they_allow() -> None:
    """RSA keys that declare no algorithm are for the one that the issuer may use."""
    clock, asked = MovableClock(), []
    forge = Forge(ISSUER, STS, clock, algorithm="PS256")
    (entry,) = forge.jwks["keys"]
    document = {"keys": [{name: value for name, value in entry.items() if name != "alg"}]}

    def server(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json=document)

    async with Egress(EgressSettings(), httpx.MockTransport(server)) as http:
        jwts = Jwts(http, clock, max_age=20.0)
        keys = jwts.keys(ISSUER, jwks_url="https://keys.example", algorithms=["PS256"])
        expected = Expected(issuer=ISSUER, keys=keys, algorithms=frozenset({"PS256"}))
        for number in (1, 1, 2):
            await jwts.verify(forge.jwt(), expected)
            while len(asked) < number:  # what is soon too old is fetched beside the work
                await asyncio.sleep(0)
            assert len(asked) == number
            clock.move(11)


async def test_a_key_server_that_is_down_is_unavailable_and_never_a_bad_token() -> None:
    def down(_: httpx.Request) -> httpx.Response:
        return httpx.Response(503)

    clock = MovableClock()
    async with Egress(EgressSettings(), httpx.MockTransport(down)) as http:
        jwts = Jwts(http, clock)
        expected = Expected(issuer=ISSUER, keys=jwts.keys(ISSUER, jwks_url="https://keys.example"), algorithms=frozenset({"ES256"}))
        with pytest.raises(Unavailable):
            await jwts.verify(Forge(ISSUER, STS, clock).jwt(), expected)


async def test_nobody_is_called_for_a_token_that_is_refused_without_a_key() -> None:
    clock = MovableClock()
    jwts = Jwts(HTTP, clock)
    expected = Expected(issuer=ISSUER, keys=jwts.keys(ISSUER), algorithms=frozenset({"ES256"}))
    forge = Forge(ISSUER, STS, clock)
    for token in (forge.jwt({"alg": "none"}), forge.jwt(iss="https://evil.example"), forge.jwt({"typ": "at+jwt"}), "a.b.c"):
        with pytest.raises((Rejected, IssuerNotTrusted)):
            await jwts.verify(token, expected)


def test_who_trusts_an_issuer_alike_shares_its_keys_and_who_does_not_has_its_own() -> None:
    jwts = Jwts(HTTP, MovableClock())
    keys = jwts.keys(ISSUER, jwks_url="https://keys.example")
    assert jwts.keys(ISSUER, jwks_url="https://keys.example", algorithms=["RS256"]) is keys
    others = [
        jwts.keys("https://other.example", jwks_url="https://keys.example"),  # a key never proves for two issuers
        jwts.keys(ISSUER, jwks_url="https://keys.example/2"),
        jwts.keys(ISSUER),
        jwts.keys(ISSUER, jwks_url="https://keys.example", algorithms=["PS256"]),
    ]
    assert len({id(each) for each in (keys, *others)}) == 5


async def test_the_keys_of_an_issuer_can_be_forgotten_and_only_its_own() -> None:
    clock, asked = MovableClock(), []
    forge = Forge(ISSUER, STS, clock)

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=forge.jwks)

    async with Egress(EgressSettings(), httpx.MockTransport(serve)) as http:
        jwts = Jwts(http, clock)
        places = {name: jwts.keys(name, jwks_url=f"{name}/keys") for name in (ISSUER, "https://other.example")}
        for keys in places.values():
            await keys.find("k1", "ES256")
        jwts.forget(ISSUER)
        for keys in places.values():
            await keys.find("k1", "ES256")
    assert asked == [f"{ISSUER}/keys", "https://other.example/keys", f"{ISSUER}/keys"]


async def test_of_several_issuers_the_one_that_a_token_names_is_expected() -> None:
    clock = MovableClock()
    forges = [Forge(f"https://{name}.example", STS, clock) for name in "ab"]
    jwts = Jwts(HTTP, clock)
    expected = {
        forge.issuer: Expected(issuer=forge.issuer, keys=jwts.keys(forge.issuer, jwks=forge.jwks), algorithms=frozenset({"ES256"}))
        for forge in forges
    }
    for forge in forges:
        verified = await jwts.verify(forge.jwt(), expected)
        assert verified.expected is expected[forge.issuer]
    for token, refusal in (
        (forges[0].jwt(iss=forges[1].issuer), SignatureInvalid),
        (forges[0].jwt(iss="https://c.example"), IssuerNotTrusted),
        (forges[0].jwt(iss=ABSENT), CredentialMalformed),
        (forges[0].jwt(iss=[forges[0].issuer]), CredentialMalformed),
    ):
        with pytest.raises(refusal):
            await jwts.verify(token, expected)


@pytest.mark.parametrize(("allowed", "algorithm"), [(["RS256", "PS256"], "RS256"), (["PS256"], "PS256")])
@pytest.mark.parametrize("named", ["RS256", "PS256"])
async def test_an_rsa_key_that_declares_nothing_is_for_one_algorithm_of_its_issuer(allowed: list[str], algorithm: str, named: str) -> None:
    clock = MovableClock()
    forge, jwts = Forge(ISSUER, STS, clock, algorithm=named), Jwts(HTTP, clock)
    bare = {"keys": [{member: value for member, value in key.items() if member != "alg"} for key in forge.jwks["keys"]]}
    keys = jwts.keys(ISSUER, jwks=bare, algorithms=allowed)
    expected = Expected(issuer=ISSUER, keys=keys, algorithms=frozenset({"RS256", "PS256"}))
    if named == algorithm:
        assert (await jwts.verify(forge.jwt(sub="a"), expected)).subject == "a"
    else:
        with pytest.raises(KeyUnknown):
            await jwts.verify(forge.jwt(), expected)
