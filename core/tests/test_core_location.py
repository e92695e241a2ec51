"""A zone with an issuer of its own has endpoints beneath its path, which stock clients find; `Host` tells nothing (decisions 20, 29)."""

from __future__ import annotations

from typing import Any

import pytest

from cambist import DidNotStart
from cambist.compact import Compact
from cambist.location import Location
from cambist.settings import parse
from cambist.testing import ISSUER, Forge, MovableClock, Running, open_sts
from cambist.testing.trusting import Trusting
from cambist.token_type import JWT

SHOP = f"{ISSUER}/z/shop"
API = "https://api.example.test"
CLOCK = MovableClock()
AUTHORIZATION_SERVER, OPENID = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"


def located(zone: str, document: dict[str, Any]) -> Location | None:
    settings = parse({"issuer": ISSUER, **document})
    return settings.location(settings.zones[zone])


@pytest.mark.parametrize(
    ("document", "zone", "expected"),
    [
        ({}, "default", ("", ISSUER, "")),
        ({"issuer": f"{ISSUER}/"}, "default", ("", ISSUER, "")),
        ({"issuer": f"{ISSUER}/sts"}, "default", ("", f"{ISSUER}/sts", "/sts")),
        ({"public_url": "https://public.test/x/"}, "default", ("", "https://public.test/x", "")),
        ({"zones": {"shop": {}}}, "shop", None),
        ({"zones": {"shop": {"issuer": SHOP}}}, "shop", ("/z/shop", SHOP, "/z/shop")),
        ({"zones": {"shop": {"issuer": f"{SHOP}/"}}}, "shop", ("/z/shop", SHOP, "/z/shop")),
        (
            {"public_url": "https://public.test/x", "zones": {"shop": {"issuer": SHOP}}},
            "shop",
            ("/z/shop", "https://public.test/x/z/shop", "/z/shop"),
        ),
        (
            {"issuer": f"{ISSUER}/sts", "zones": {"shop": {"issuer": f"{ISSUER}/sts/z/shop"}}},
            "shop",
            ("/z/shop", f"{ISSUER}/sts/z/shop", "/sts/z/shop"),
        ),
        ({"zones": {"shop": {"issuer": "https://other.test/a"}}}, "shop", ("/a", "https://other.test/a", "/a")),
        ({"zones": {"shop": {"issuer": "https://other.test"}}}, "shop", None),
        ({"zones": {"shop": {"issuer": f"{ISSUER}.evil.test/a"}}}, "shop", ("/a", f"{ISSUER}.evil.test/a", "/a")),
    ],
)
def test_the_path_of_its_issuer_says_where_a_zone_is(document: dict[str, Any], zone: str, expected: tuple[str, ...] | None) -> None:
    found = located(zone, document)
    assert (found and (found.path, found.url, found.inserted)) == expected


@pytest.mark.parametrize("path", ["/<zone>", "/a b", "/%7e", "/a//b", "/a/../b", "/.well-known", "/ä", "/a;b", "/a:b"])
def test_a_path_of_several_spellings_keeps_the_service_shut(path: str) -> None:
    with pytest.raises(DidNotStart) as refused:
        located("shop", {"zones": {"shop": {"issuer": f"{ISSUER}{path}"}}})
    assert any(problem.startswith("zones.shop.issuer: its path must be of letters") for problem in refused.value.problems)


@pytest.mark.parametrize("other", [SHOP, f"{SHOP}/", "https://other.test/z/shop"])
def test_two_zones_at_one_path_keep_the_service_shut(other: str) -> None:
    zones = {"shop": {"issuer": SHOP}, "copy": {"issuer": other, "trust_domain": "copy.test"}}
    with pytest.raises(DidNotStart) as refused:
        located("shop", {"zones": zones})
    assert refused.value.problems == ["zones.copy.issuer: its path is that of zone shop already, and only the path tells zones apart"]


def shop() -> tuple[dict[str, Any], dict[str, Any], Forge]:
    forge = Forge("https://issuer.example.test", SHOP, CLOCK)
    return {"zones": {"shop": {"issuer": SHOP, "authenticates": [JWT]}, "plain": {}}}, {"trusting": Trusting(forge)}, forge


@pytest.mark.row("P-discovery")
@pytest.mark.parametrize(
    "path", [f"{AUTHORIZATION_SERVER}/z/shop", f"{OPENID}/z/shop", f"/z/shop{OPENID}", f"/z/shop{AUTHORIZATION_SERVER}"]
)
async def test_metadata_is_found_inserted_and_appended(path: str) -> None:
    """MD-02: RFC 8414 section 3.1 inserts, OpenID Connect Discovery section 4 appends, and MCP clients try both."""
    settings, modules, _ = shop()
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        found = (await running.http.get(path)).json()
    assert found["issuer"] == SHOP
    assert found["token_endpoint"] == f"{SHOP}/oauth/2/token"
    assert found["jwks_uri"] == f"{SHOP}/.well-known/jwks.json"
    assert found["urn:cambist:metadata:json_exchange_endpoint"] == f"{SHOP}/v1/exchange/token"


@pytest.mark.row("P-discovery")
@pytest.mark.parametrize("path", [f"{AUTHORIZATION_SERVER}/z/none", f"{OPENID}/z/plain", f"/z/none{OPENID}", f"{AUTHORIZATION_SERVER}/"])
async def test_metadata_of_what_is_not_there_is_not_found(path: str) -> None:
    settings, modules, _ = shop()
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        assert (await running.http.get(path)).status_code == 404


@pytest.mark.row("P-discovery")
@pytest.mark.parametrize("path", [AUTHORIZATION_SERVER, OPENID, f"{AUTHORIZATION_SERVER}/z/shop", f"/z/shop{OPENID}"])
async def test_who_has_the_metadata_is_told_so(path: str) -> None:
    """MD-09: as for keys."""
    settings, modules, _ = shop()
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        first = await running.http.get(path)
        again = await running.http.get(path, headers={"if-none-match": first.headers["etag"]})
        keys = await running.http.get("/.well-known/jwks.json")
    assert first.headers["cache-control"] == keys.headers["cache-control"] == "public, max-age=300, must-revalidate"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.row("P-discovery")
@pytest.mark.parametrize("host", ["evil.example.test", "sts.example.test", "localhost"])
async def test_no_header_changes_a_url_of_the_metadata(host: str) -> None:
    """Decision 29."""
    settings, modules, _ = shop()
    headers = {"host": host, "x-forwarded-host": host, "x-forwarded-proto": "http", "forwarded": f"host={host}"}
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        for path in (OPENID, f"/z/shop{OPENID}"):
            plain, changed = await running.http.get(path), await running.http.get(path, headers=headers)
            assert plain.content == changed.content


async def exchanged(running: Running, path: str, token: str, **more: str) -> Any:
    body = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token, "subject_token_type": JWT}
    body |= {"audience": API, **more}
    sent: dict[str, Any] = {"json": body} if path.endswith("/v1/exchange/token") else {"data": body}
    return await running.http.post(path, **sent)


@pytest.mark.row("F-zone")
@pytest.mark.parametrize("path", ["/oauth/2/token", "/v1/exchange/token"])
async def test_at_its_own_endpoint_a_zone_need_not_be_named_and_no_other_can_be(path: str) -> None:
    settings, modules, forge = shop()
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        for more in ({}, {"zone_id": "shop"}, {"zone_id": ""}):
            answered = await exchanged(running, f"/z/shop{path}", forge.jwt(), **more)
            assert answered.status_code == 200, answered.text
            assert Compact.parse(answered.json()["access_token"]).claims["iss"] == SHOP
        for other in ("default", "plain", "nowhere"):
            refused = await exchanged(running, f"/z/shop{path}", forge.jwt(), zone_id=other)
            assert (refused.status_code, refused.json()["reason"]) == (400, "parameter_invalid")
        named = await exchanged(running, path, forge.jwt(), zone_id="shop")
        assert Compact.parse(named.json()["access_token"]).claims["iss"] == SHOP


@pytest.mark.row("F-jwks")
async def test_the_keys_of_a_zone_are_at_its_path_and_under_the_other_pages_name() -> None:
    settings, modules, _ = shop()
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        of_shop = (await running.http.get("/.well-known/jwks.json?zone_id=shop")).content
        ours = (await running.http.get("/.well-known/jwks.json")).content
        assert of_shop != ours
        for path in ("/z/shop/.well-known/jwks.json", "/z/shop/v1/identity/jwks", "/v1/identity/jwks?zone_id=shop"):
            assert (await running.http.get(path)).content == of_shop
        assert (await running.http.get("/v1/identity/jwks")).content == ours
        for other in ("default", "plain", "nowhere"):
            assert (await running.http.get(f"/z/shop/.well-known/jwks.json?zone_id={other}")).status_code == 404


@pytest.mark.row("F-assertion")
async def test_an_assertion_for_the_token_endpoint_names_that_of_its_zone() -> None:
    """Decision 16."""
    signer = Forge("signer", SHOP, CLOCK)
    settings, modules, forge = shop()
    settings["zones"]["shop"]["applications"] = {"signer": {"jwks": signer.jwks, "assertion_audience": "token_endpoint"}}
    async with open_sts(settings, modules=modules, clock=CLOCK) as running:
        for audience, status in ((f"{SHOP}/oauth/2/token", 200), (f"{ISSUER}/oauth/2/token", 401)):
            proof = {"client_assertion": signer.jwt(sub="signer", aud=audience, exp=int(CLOCK()) + 60)}
            proof["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            assert (await exchanged(running, "/z/shop/oauth/2/token", forge.jwt(), **proof)).status_code == status
