"""A badge through the whole service, as installed."""

from typing import Any

from cambist import Secret
from cambist.compact import Compact
from cambist.testing import MovableClock, open_sts
from cambist_acme import BADGE, seal

SECRET = "a secret of the test's own, and long enough"


async def test_a_badge_becomes_a_token_until_it_expires() -> None:
    clock = MovableClock()
    signed = f"acme.ann.{int(clock.now) + 60}"
    asked: dict[str, Any] = {
        "subject_token": f"{signed}.{seal(Secret(SECRET), signed)}",
        "subject_token_type": BADGE,
        "audience": "https://pay.example",
    }
    async with open_sts({"authenticates": [BADGE], "plugins": {"acme": {"secret": SECRET}}}, clock=clock) as sts:
        for ask in (sts.form, sts.json):
            answer = (await ask(**asked)).json()
            assert answer["expires_in"] == 60
            subject = Compact.parse(answer["access_token"]).claims["sub"]
            assert subject == "wimse://sts.example.test/issuer/https_3a_2f_2fbadges.acme.example/subject/ann"
        clock.move(60)
        assert (await sts.form(**asked)).json()["reason"] == "credential_expired"
        clock.move(-60)
        asked["subject_token"] = asked["subject_token"].replace("ann", "bob")
        assert (await sts.json(**asked)).json()["reason"] == "credential_rejected"
