"""Spans of OpenTelemetry, for those who ask for them: unless the settings do, nothing of it is loaded and nothing of it runs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .spans import Spans


async def spans(stack: AsyncExitStack, problems: list[str]) -> tuple[Spans, ...]:
    """The observer that writes spans, sent where the OTEL_* variables say. What is missing for it is added to `problems`."""
    try:
        from .spans import Spans  # noqa: PLC0415 - this is what must not be loaded otherwise

        return (await stack.enter_async_context(Spans.exported()),)
    except ModuleNotFoundError as error:
        problems.append(f"tracing: {error.name} is not installed; it comes with the extra: pip install 'cambist[otel]'")
    except ValueError as error:
        problems.append(f"tracing: {error}")
    return ()
