"""What the settings of `access-token` refuse before the service opens."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cambist import DidNotStart
from cambist.testing import Forge, MovableClock, open_sts
from cambist_access_token.settings import AccessTokenSettings

FORGE = Forge("https://a.example", "cambist", MovableClock())
GOOD: dict[str, Any] = {"issuer": "https://a.example", "audience": ["https://api.example"]}
HOW: dict[str, Any] = {"url": "https://a.example/introspect", "client_id": "cambist", "client_secret": "the secret"}


def told(*entries: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refusal:
        AccessTokenSettings.model_validate({"issuers": list(entries)})
    return str(refusal.value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"issuer": "https://a.example"}, "audience"),
        ({**GOOD, "audience": []}, "audience"),
        ({**GOOD, "types": []}, "types"),
        ({**GOOD, "subject": "email"}, "subject"),
        ({**GOOD, "issuer": "a"}, "discovery document"),
        ({**GOOD, "introspection": {**HOW, "url": "http://a.example"}}, "only https is called"),
        ({**GOOD, "introspection": {"url": HOW["url"], "client_id": "x"}}, "give one of client_secret and client_key"),
        ({**GOOD, "introspection": {**HOW, "client_key": "{}"}}, "give one of client_secret and client_key"),
        ({**GOOD, "introspection": {**HOW, "client_secret": ""}}, "client_secret"),
        ({**GOOD, "introspection": {**HOW, "cache": 301}}, "cache"),
        ({**GOOD, "introspection": HOW, "jwks": FORGE.jwks}, "needs keys only for signed answers"),
        ({**GOOD, "introspection": {**HOW, "secret": "x"}}, "secret"),
    ],
)
def test_a_mistake_is_told(entry: dict[str, Any], said: str) -> None:
    assert said in told(entry)


def test_an_issuer_is_listed_once() -> None:
    assert "an issuer is listed twice" in told(GOOD, {**GOOD, "introspection": HOW})


def test_only_one_is_asked_about_tokens_that_name_nobody() -> None:
    first, second = {**GOOD, "introspection": HOW}, {**GOOD, "issuer": "https://b.example", "introspection": HOW}
    assert "give all but one of https://a.example, https://b.example introspection.opaque = false" in told(first, second)
    second["introspection"] = {**HOW, "opaque": False}
    assert AccessTokenSettings.model_validate({"issuers": [first, second]}).opaque is not None


def test_an_issuer_that_is_only_asked_may_be_called_anything() -> None:
    settings = AccessTokenSettings.model_validate({"issuers": [{**GOOD, "issuer": "accounts", "introspection": HOW}]})
    assert settings.issuers[0].issuer == "accounts"


def test_no_secret_is_printed() -> None:
    assert "the secret" not in repr(AccessTokenSettings.model_validate({"issuers": [{**GOOD, "introspection": HOW}]}))


@pytest.mark.parametrize("key", ["not json", "{}", "[]", '{"kty":"oct","k":"c2VjcmV0","alg":"HS256","kid":"k"}'])
async def test_a_key_that_is_none_keeps_the_service_shut(key: str) -> None:
    how = {"url": HOW["url"], "client_id": "cambist", "client_key": key}
    with pytest.raises(DidNotStart, match="not a private JWK") as refusal:
        async with open_sts({"plugins": {"access-token": {"issuers": [{**GOOD, "introspection": how}]}}}):
            pass
    assert "c2VjcmV0" not in str(refusal.value)
