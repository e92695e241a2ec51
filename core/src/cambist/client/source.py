"""Where credentials come from: a file that is read again each time, a function, or a text."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

from .refused import CredentialUnreadable

Source: TypeAlias = str | Path | Callable[[], str]
"""Of a credential: what it is, the file that it is in, or what gives it."""
AsyncSource: TypeAlias = Source | Callable[[], Awaitable[str]]


def read(source: Source) -> str:
    """Raises CredentialUnreadable."""
    try:
        if isinstance(source, Path):
            return _text(source.read_text("utf-8"), source)
        return _text(source() if callable(source) else source, source)
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialUnreadable(f"{_name(source)}: {type(error).__name__}") from error


async def read_async(source: AsyncSource) -> str:
    """As `read`, without holding up the event loop for a file."""
    if isinstance(source, Path):
        return await asyncio.to_thread(read, source)
    if not callable(source):
        return read(source)
    try:
        found = source()
        return _text(await found if inspect.isawaitable(found) else found, source)
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialUnreadable(f"{_name(source)}: {type(error).__name__}") from error


def _text(value: Any, source: AsyncSource) -> str:
    """Token files end in a newline, which is no part of the token."""
    if not isinstance(value, str) or not (text := value.strip()):
        raise CredentialUnreadable(f"{_name(source)}: there is no credential in it")
    return text


def _name(source: AsyncSource) -> str:
    """Never the credential itself."""
    return str(source) if isinstance(source, Path) else "what gives the credential" if callable(source) else "the credential"
