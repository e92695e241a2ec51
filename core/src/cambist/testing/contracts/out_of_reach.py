"""What a plugin has to say when it cannot reach what it keeps: neither yes nor no."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from ...errors import Unavailable


async def says_so(name: str, work: Awaitable[object]) -> None:
    """Fails the test, with words for whoever wrote the plugin, unless `work` raises Unavailable."""
    try:
        answer = await work
    except Unavailable:
        return
    except Exception as error:
        pytest.fail(f"what it keeps is out of reach, and `{name}` raised {error!r}: raise cambist.Unavailable, and nothing else")
    pytest.fail(f"what it keeps is out of reach, and `{name}` answered {answer!r}: raise cambist.Unavailable, it must not guess")
