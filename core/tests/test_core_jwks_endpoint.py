"""The published keys: how long they may be kept is a setting, and who has them already is told so without getting them again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from cambist import DidNotStart
from cambist.keys import Horizon
from cambist.testing import Running, open_sts

PATH = "/.well-known/jwks.json"


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with open_sts({"zones": {"blue": {}}}) as opened:
        yield opened


async def asked(running: Running, *known: str, method: str = "GET", zone: str = "default") -> httpx.Response:
    headers = [("if-none-match", value) for value in known]
    return await running.http.request(method, PATH, params={"zone_id": zone}, headers=headers)


@pytest.mark.row("F-jwks")
async def test_the_same_keys_have_the_same_tag_and_new_keys_another(running: Running) -> None:
    first, again = await asked(running), await asked(running)
    assert first.headers["etag"] == again.headers["etag"]
    await running.sts.keys.rotate("default")
    after = await asked(running)
    assert after.headers["etag"] != first.headers["etag"]
    assert len(after.json()["keys"]) == 2
    assert (await asked(running, zone="blue")).headers["etag"] not in (first.headers["etag"], after.headers["etag"])


@pytest.mark.row("F-jwks")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("known", [["{}"], ["W/{}"], ['"other", {}'], ['"other" ,W/{} , "third"'], ['"other"', "{}"], ["*"]])
async def test_who_has_the_keys_is_told_so_and_keeps_them_for_as_long_again(running: Running, known: list[str], method: str) -> None:
    """RFC 9110 section 15.4.5: a 304 says what a 200 would have said of caching."""
    first = await asked(running)
    answer = await asked(running, *(value.replace("{}", first.headers["etag"]) for value in known), method=method)
    assert (answer.status_code, answer.content) == (304, b"")
    for name in ("etag", "cache-control"):
        assert answer.headers[name] == first.headers[name]


@pytest.mark.row("F-jwks")
@pytest.mark.parametrize("known", ['"other"', "", "garbage", '"', 'W/"', '""', "W/*", "\xff"])
async def test_who_has_other_keys_gets_these(running: Running, known: str) -> None:
    answer = await running.http.get(PATH, headers=[(b"if-none-match", known.encode("latin-1"))])
    assert answer.status_code == 200
    assert answer.json()["keys"]


async def test_who_knows_the_keys_of_before_a_rotation_gets_the_new_ones(running: Running) -> None:
    known = (await asked(running)).headers["etag"]
    kid = (await running.sts.keys.rotate("default")).kid
    answer = await asked(running, known)
    assert answer.status_code == 200
    assert kid in [key["kid"] for key in answer.json()["keys"]]


async def test_a_zone_that_is_unknown_has_no_tag(running: Running) -> None:
    answer = await asked(running, "*", zone="green")
    assert answer.status_code == 404
    assert "etag" not in answer.headers


@pytest.mark.parametrize(("settings", "said"), [({}, 300), ({"jwks_max_age": 20}, 20)])
async def test_how_long_they_may_be_kept_is_what_rotation_waits_for(settings: dict[str, int], said: int) -> None:
    async with open_sts(settings) as running:
        assert (await asked(running)).headers["cache-control"] == f"public, max-age={said}, must-revalidate"
        assert running.sts._ground.horizon.max_age == said


async def test_rotation_knows_the_longest_lifetime_of_any_zone() -> None:
    async with open_sts({"max_ttl": 900, "zones": {"blue": {"max_ttl": 43_200}, "red": {"max_ttl": 600}}}) as running:
        assert running.sts._ground.horizon == Horizon(max_age=300, lifetime=43_200)


@pytest.mark.parametrize("value", [0, -1, 86_401, "soon"])
async def test_keys_that_could_not_be_kept_or_would_be_for_days_are_refused(value: object) -> None:
    with pytest.raises(DidNotStart, match="jwks_max_age"):
        async with open_sts({"jwks_max_age": value}):
            pass
