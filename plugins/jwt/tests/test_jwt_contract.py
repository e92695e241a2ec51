"""`jwt` keeps the contract of every validator, wherever keys come from and however tokens are signed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from habits.looking import LooksAtWhomItTrusts

from cambist import Credential, Role, Validator
from cambist.check import Sample, State
from cambist.egress import Egress, EgressSettings
from cambist.jwts import Jwts
from cambist.testing import ISSUER as STS
from cambist.testing import DeafHttp, Forge, MovableClock, ScriptedHttp, ValidatorContract
from cambist.token_type import JWT
from cambist_jwt.settings import JwtSettings
from cambist_jwt.validator import JwtValidator

ISSUER, KEYS = "https://issuer.example", "https://issuer.example/keys"


def plugin(clock: MovableClock, http: httpx.AsyncBaseTransport, **entry: Any) -> JwtValidator:
    settings = JwtSettings.model_validate({"issuers": [{"issuer": ISSUER, **entry}]})
    return JwtValidator(settings, Jwts(Egress(EgressSettings(), http), clock))


class JwtContract(LooksAtWhomItTrusts, ValidatorContract):
    """What all of them have in common."""

    algorithm = "ES256"

    @pytest.fixture
    def forge(self, clock: MovableClock) -> Forge:
        return Forge(ISSUER, STS, clock, algorithm=self.algorithm)

    @pytest.fixture
    def good(self, forge: Forge) -> Credential:
        return Credential(token=forge.jwt(scope="read"), token_type=JWT, role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, forge: Forge, tmp_path: Path) -> Mapping[str, str]:
        return forge.wrong(tmp_path)


@pytest.mark.row("T-jwt")
class TestInlineKeys(JwtContract):
    @pytest.fixture
    def validator(self, clock: MovableClock, forge: Forge) -> Validator:
        return plugin(clock, DeafHttp(), jwks=forge.jwks)


@pytest.mark.row("T-jwt")
class TestKeysOfRSA(JwtContract):
    algorithm = "PS256"

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: Forge) -> Validator:
        return plugin(clock, DeafHttp(), jwks=forge.jwks)


@pytest.mark.row("T-jwt")
class TestKeysInAFile(JwtContract):
    algorithm = "Ed25519"

    @pytest.fixture
    def validator(self, clock: MovableClock, forge: Forge, tmp_path: Path) -> Validator:
        path = tmp_path / "keys.json"
        path.write_bytes(msgspec.json.encode(forge.jwks))
        return plugin(clock, DeafHttp(), jwks_file=str(path))


@pytest.mark.row("T-jwt")
class TestKeysByDiscovery(JwtContract):
    @pytest.fixture
    def validator(self, clock: MovableClock, forge: Forge) -> Validator:
        document = {"issuer": ISSUER, "jwks_uri": KEYS}
        return plugin(clock, ScriptedHttp({f"{ISSUER}/.well-known/openid-configuration": document, KEYS: forge.jwks}))

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (plugin(clock, DeafHttp()), plugin(clock, DeafHttp(), jwks_url=KEYS))


@pytest.mark.parametrize(("preset", "rules"), [({}, []), ({"preset": "kubernetes"}, ["kubernetes"])])
async def test_a_diagnosis_asks_what_the_entry_asks_of_its_tokens(preset: dict[str, str], rules: list[str]) -> None:
    clock = MovableClock()
    forge = Forge(ISSUER, STS, clock)
    sample = Sample(credential=Credential(token=forge.jwt(), token_type=JWT, role=Role.SUBJECT), audiences=frozenset({STS}))
    checks = await plugin(clock, DeafHttp(), jwks=forge.jwks, **preset).diagnose(sample)
    told = ["form", "issuer", "type", "algorithm", "signature", "claims", "times", "audience"]
    assert [check.name for check in checks] == [*told, *rules]
    assert [check.name for check in checks if check.state is State.FAILED] == rules  # it is no token of a service account
