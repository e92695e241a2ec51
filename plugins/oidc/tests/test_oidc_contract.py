"""`oidc` keeps the contract of every validator, wherever keys come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.looking import LooksAtWhomItTrusts

from cambist import Credential, Role, Validator
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import DeafHttp, IdTokenForge, MovableClock, ScriptedHttp, ValidatorContract
from cambist.token_type import ID_TOKEN
from cambist_oidc.settings import OidcSettings
from cambist_oidc.validator import OidcValidator

ISSUER, KEYS, CLIENT = "https://issuer.example", "https://issuer.example/keys", "cambist-client"


def plugin(clock: MovableClock, http: httpx.AsyncBaseTransport, **entry: Any) -> OidcValidator:
    settings = OidcSettings.model_validate({"issuers": [{"issuer": ISSUER, "audience": [CLIENT], **entry}]})
    return OidcValidator(settings, Jwts(Egress(EgressSettings(), http), clock))


class OidcContract(LooksAtWhomItTrusts, ValidatorContract):
    """What all of them have in common."""

    algorithm = "RS256"

    @pytest.fixture
    def forge(self, clock: MovableClock) -> IdTokenForge:
        return IdTokenForge(ISSUER, CLIENT, clock, algorithm=self.algorithm)

    @pytest.fixture
    def good(self, forge: IdTokenForge) -> Credential:
        return Credential(token=forge.jwt(nonce="n-1"), token_type=ID_TOKEN, role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, forge: IdTokenForge, tmp_path: Path) -> Mapping[str, str]:
        return forge.wrong(tmp_path)


@pytest.mark.row("T-oidc")
class TestKeysByDiscovery(OidcContract):
    @pytest.fixture
    def validator(self, clock: MovableClock, forge: IdTokenForge) -> Validator:
        document = {"issuer": ISSUER, "jwks_uri": KEYS}
        return plugin(clock, ScriptedHttp({f"{ISSUER}/.well-known/openid-configuration": document, KEYS: forge.jwks}))

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp()), plugin(clock, DeafHttp(), jwks_url=KEYS))


@pytest.mark.row("T-oidc")
class TestKeysInline(OidcContract):
    algorithm = "ES256"

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: IdTokenForge) -> Validator:
        return plugin(clock, DeafHttp(), jwks=forge.jwks)


@pytest.mark.row("T-oidc")
class TestNonceExpected(OidcContract):
    @pytest.fixture
    def validator(self, clock: MovableClock, forge: IdTokenForge) -> Validator:
        return plugin(clock, DeafHttp(), jwks=forge.jwks, nonce="n-1")

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        return ()

    @pytest.fixture
    def wrong(self, forge: IdTokenForge, tmp_path: Path) -> Mapping[str, str]:
        return {"of another login (OpenID Connect Core section 3.1.3.7: nonce)": forge.jwt(nonce="n-2"), "of no login": forge.jwt()}
