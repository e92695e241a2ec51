"""Badges: the good one proves its name, and no other text does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Credential, Identity, Rejected, Role, Secret
from cambist_acme import BADGE, AcmeSettings, BadgeValidator, seal

SECRET = Secret("a secret of the test's own, and long enough")
GOOD = f"acme.ann.1800015000.{seal(SECRET, 'acme.ann.1800015000')}"
VALIDATOR = BadgeValidator(AcmeSettings.model_validate({"secret": SECRET.reveal(), "issuer": "https://acme.example"}))


def badge(token: str) -> Credential:
    return Credential(token=token, token_type=BADGE, role=Role.SUBJECT)


async def test_a_sealed_badge_proves_its_name_until_its_end() -> None:
    proven = await VALIDATOR.validate(badge(GOOD))
    assert (proven.identity, proven.expires_at) == (Identity(issuer="https://acme.example", subject="ann"), 1_800_015_000)


@given(st.integers(0, len(GOOD) - 1), st.text(st.characters(categories=None), max_size=2))
async def test_no_small_change_of_a_badge_is_accepted(place: int, text: str) -> None:
    changed = GOOD[:place] + text + GOOD[place + 1 :]
    if changed != GOOD:
        with pytest.raises(Rejected):
            await VALIDATOR.validate(badge(changed))
