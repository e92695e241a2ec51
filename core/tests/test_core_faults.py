"""A plugin that breaks its promises fails closed, is named in the ledger, and tells the caller nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cambist import Credential, Proven, Rejected, Unavailable, Unverified, Validator, ZoneHost, hookimpl
from cambist.errors import Refusal
from cambist.testing import ISSUER, Forge, MovableClock, open_sts
from cambist.token_type import JWT

API = "https://api.example.test"


class Faulty:
    """A validator that raises, or returns, what it should not. It is its own plugin module."""

    token_types, issuers = frozenset({JWT}), None

    def __init__(self, does: Any) -> None:
        self.does = does

    @hookimpl
    def cambist_validators(self, host: ZoneHost) -> Iterator[Validator]:
        yield self

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Proven:
        if isinstance(self.does, Exception):
            raise self.does
        return self.does  # type: ignore[no-any-return]  # what a plugin returns can be anything


@pytest.mark.parametrize(
    ("does", "status", "reason"),
    [
        (KeyError("secret cause"), 500, "plugin_fault"),
        (None, 500, "plugin_fault"),
        ("yes", 500, "plugin_fault"),
        (Unavailable(what="x"), 503, "temporarily_unavailable"),
        (Rejected("no"), 400, "credential_rejected"),
        (Refusal("no"), 500, "refused"),
    ],
)
async def test_a_plugin_that_fails_fails_closed_and_is_recorded(does: Any, status: int, reason: str) -> None:
    forge = Forge("https://issuer.example.test", ISSUER, MovableClock())
    async with open_sts({"authenticates": [JWT]}, modules={"faulty": Faulty(does)}) as running:
        for ask in (running.form, running.json):
            refused = await ask(subject_token=forge.jwt(), audience=API)
            assert (refused.status_code, refused.json()["reason"]) == (status, reason)
            assert "secret cause" not in refused.text
    assert [record.outcome for record in running.records] == [reason] * 2
