"""What the settings of `oidc` refuse before the service opens."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cambist import DidNotStart
from cambist.testing import Forge, MovableClock, open_sts
from cambist_oidc.settings import PRESETS, OidcSettings

FORGE = Forge("https://a.example", "cambist", MovableClock())
GOOD: dict[str, Any] = {"issuer": "https://a.example", "audience": ["cambist"]}
GITHUB: dict[str, Any] = {"preset": "github-actions", "audience": ["cambist"], "only": {"repository_owner_id": ["65"]}}


def told(*entries: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as refusal:
        OidcSettings.model_validate({"issuers": list(entries)})
    return str(refusal.value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"issuer": "https://a.example"}, "audience"),
        ({**GOOD, "audience": []}, "audience"),
        ({"audience": ["cambist"]}, "issuer"),
        ({**GOOD, "preset": "github"}, "must be one of github-actions, gitlab"),
        ({**GOOD, "preset": ["gitlab"]}, "preset"),
        ({**GOOD, "issuer": "http://a.example"}, "only https is called"),
        ({**GOOD, "jwks": FORGE.jwks, "jwks_url": "https://a.example/keys"}, "give one of jwks_url"),
        ({**GOOD, "only": {"project_id": []}}, "only.project_id"),
        ({**GOOD, "nonce": ""}, "nonce"),
        ({**GOOD, "audiance": ["x"]}, "audiance"),
        ({"preset": "github-actions", "audience": ["cambist"]}, "say by only.enterprise_id or only.repository_owner_id"),
        ({"preset": "gitlab", "audience": ["cambist"], "only": {"ref": ["main"]}}, "this issuer signs for everybody"),
    ],
)
def test_a_mistake_is_told(entry: dict[str, Any], said: str) -> None:
    assert said in told(entry)


def test_an_issuer_is_listed_once() -> None:
    assert "an issuer is listed twice: https://a.example" in told(GOOD, GOOD)


def test_a_preset_whose_customers_share_an_issuer_brings_it() -> None:
    [entry] = OidcSettings.model_validate({"issuers": [GITHUB]}).issuers
    assert entry.issuer == "https://token.actions.githubusercontent.com"


def test_an_issuer_of_ones_own_needs_no_tenants() -> None:
    entry = {**GITHUB, "issuer": "https://github.acme.example/_services/token", "only": {}}
    assert OidcSettings.model_validate({"issuers": [entry]}).issuers[0].only == {}


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.tenants])
def test_whoever_shares_an_issuer_says_whose_tokens_are_meant(name: str) -> None:
    assert "this issuer signs for everybody" in told({"preset": name, "audience": ["cambist"]})


def test_a_nonce_is_not_printed() -> None:
    assert "n-secret" not in repr(OidcSettings.model_validate({"issuers": [{**GOOD, "nonce": "n-secret"}]}))


async def test_a_zone_takes_its_own_tokens_itself() -> None:
    """A token of this very service is core's to judge, and only to narrow; as ID token it is nobody's."""
    tables = {
        "jwt": {"issuers": [{"issuer": "https://a.example", "jwks": FORGE.jwks}]},
        "oidc": {"issuers": [{**GOOD, "jwks": FORGE.jwks}]},
    }
    async with open_sts({"plugins": tables}):
        pass  # one issuer, two types: each has its one taker


async def test_two_tables_for_one_issuer_and_type_keep_the_service_shut() -> None:
    class Other:
        """A second plugin that takes ID tokens of the same issuer."""

        def cambist_validators(self, host: Any) -> Any:
            from cambist_oidc.validator import OidcValidator

            yield OidcValidator(OidcSettings.model_validate({"issuers": [{**GOOD, "jwks": FORGE.jwks}]}), host.jwts)

    from cambist import hookimpl

    Other.cambist_validators = hookimpl(Other.cambist_validators)  # type: ignore[method-assign]  # what the decorator does in a module
    with pytest.raises(DidNotStart, match=r"both take urn:ietf:params:oauth:token-type:id_token of https://a\.example"):
        async with open_sts({"plugins": {"oidc": {"issuers": [{**GOOD, "jwks": FORGE.jwks}]}}}, modules={"other": Other()}):
            pass
