"""Everybody whom a validator trusts can be looked at by an operator: beside a ValidatorContract, whose fixtures it uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from cambist.check import State


class LooksAtWhomItTrusts:
    """What `cambist trust check` asks of a validator."""

    def test_everybody_who_is_trusted_can_be_looked_at(self, validator: Any) -> None:
        assert validator.trusts
        for trust in validator.trusts:
            assert {trust.issuer, trust.name} & validator.issuers
            assert _reasons([trust]) == []

    def test_who_cannot_be_reached_is_told_as_such(self, cut_off: Iterable[Any]) -> None:
        for validator in cut_off:
            assert set(_reasons(validator.trusts)) == {"temporarily_unavailable"}


def _reasons(trusts: Iterable[Any]) -> list[str | None]:
    """Why those fail that fail."""

    async def look() -> list[str | None]:
        checks = [check for trust in trusts for source in trust.sources for check in await source.look()]
        assert checks
        return [check.reason for check in checks if check.state is State.FAILED]

    return asyncio.run(look())
