"""Settings of API keys that are wrong are told by path, and without what was written there."""

from __future__ import annotations

from typing import Any

import pytest

from cambist import DidNotStart
from cambist.testing import open_sts

PEPPER = "a pepper of the test's own, and long enough"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "plugins.api-key.pepper: required"),
        ({"pepper": "short-but-secret"}, "plugins.api-key.pepper: needs at least 32 random characters"),
        ({"pepper": PEPPER, "max_lifetime": 0}, "plugins.api-key.max_lifetime: "),
        ({"pepper": PEPPER, "max_liftime": 5}, "plugins.api-key.max_liftime: unknown; did you mean max_lifetime?"),
    ],
)
async def test_settings_that_are_wrong_keep_it_shut(table: dict[str, Any], said: str) -> None:
    with pytest.raises(DidNotStart) as shut:
        async with open_sts({"plugins": {"api-key": table}}):
            pass
    assert said in str(shut.value)
    assert "short-but-secret" not in str(shut.value)
