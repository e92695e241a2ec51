"""A key store in a folder of a test, and the ways to see that it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cambist import Unavailable
from cambist.clock import Clock
from cambist.keys import Horizon

from .settings import KeysFileSettings
from .store import DEFAULT, FileKeys

KEK = "7d" * 32


def standing() -> float:
    """A clock that stands, at the noon at which the kit's stands too."""
    return 1_800_014_400.0


def kept(folder: Path, clock: Clock = standing, horizon: Horizon = DEFAULT, **changes: Any) -> FileKeys:
    """A store that is open. Raises Unavailable where it cannot be."""
    return FileKeys.opened(_settings(folder, **changes), clock, horizon)


def unchecked(folder: Path) -> FileKeys:
    """A store as it is after it was opened, when something happens to its file."""
    return FileKeys(_settings(folder), standing)


def _settings(folder: Path, **changes: Any) -> KeysFileSettings:
    return KeysFileSettings.model_validate({"directory": folder / "keys", "kek": KEK, **changes})


async def signer(store: FileKeys, zone: str = "default") -> str:
    """The kid of the key that signs."""
    return (await store.signing(zone)).kid


async def kids(store: FileKeys, zone: str = "default") -> list[str]:
    """The kids of the published keys, newest first."""
    return [jwk["kid"] for jwk in await store.published(zone)]


async def made(folder: Path) -> Path:
    """The file of a zone with a key that signs and one that waits."""
    await kept(folder).rotate("default")
    return folder / "keys" / "default.json"


async def cause_of(work: Awaitable[object]) -> str:
    """Why it was refused; raises AssertionError when it was not, or not as unavailable."""
    try:
        await work
    except Unavailable as refused:
        if refused.reason == "temporarily_unavailable":
            return str(refused.facts["cause"])
        raise AssertionError(f"refused as {refused.reason}") from refused
    raise AssertionError("it was not refused")


async def refuses_all(store: FileKeys) -> bool:
    """Whether nothing can be had, and nothing can be changed."""
    asked: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: store.signing("default"),
        lambda: store.published("default"),
        lambda: store.rotate("default"),
        lambda: store.rotate("default", compromised=True),
    )
    for ask in asked:
        await cause_of(ask())
    return True
