"""Badges keep the contract of every validator, and become tokens."""

import pytest

from cambist import Credential, Role, Secret
from cambist.testing import MovableClock, ValidatorContract, open_sts
from cambist_acme import BADGE, BadgeSettings, BadgeValidator, seal

SECRET = "a secret of the test's own, and long enough"


def badge(name: str, end: float) -> str:
    signed = f"acme.{name}.{int(end)}"
    return f"{signed}.{seal(Secret(SECRET), signed)}"


class TestBadges(ValidatorContract):
    @pytest.fixture
    def validator(self) -> BadgeValidator:
        return BadgeValidator(BadgeSettings.model_validate({"secret": SECRET}))

    @pytest.fixture
    def good(self, clock: MovableClock) -> Credential:
        return Credential(token=badge("ann", clock() + 60), token_type=BADGE, role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, clock: MovableClock) -> dict[str, str]:
        return {"expired": badge("ann", clock()), "of nobody": badge("", clock() + 60), "in capitals": badge("ANN", clock() + 60)}

    @pytest.fixture
    def secrets(self) -> list[str]:
        return [SECRET]


async def test_a_badge_is_exchanged_by_the_plugin_as_it_is_installed() -> None:
    settings, clock = {"authenticates": [BADGE], "plugins": {"acme": {"secret": SECRET}}}, MovableClock()
    async with open_sts(settings, clock=clock) as sts:
        answer = await sts.form(subject_token=badge("ann", clock() + 60), subject_token_type=BADGE, audience="https://pay.example")
    assert answer.json()["expires_in"] == 60, answer.text
