"""Structured logs on standard error, one JSON object a line, or coloured text at a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import structlog


def configure(level: str = "INFO") -> None:
    """Route the standard logging of everything through structlog."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    closing: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not sys.stderr.isatty():
        # Tracebacks as one field, without the locals: those hold credentials.
        closing.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*closing, renderer()]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("httpx").setLevel("WARNING")  # it logs whole URLs


def renderer() -> structlog.typing.Processor:
    """The last step of every line: JSON, or text for whoever sits at a terminal."""
    return structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(serializer=_json)


def rendered() -> Callable[[dict[str, Any]], bytes]:
    """What makes one line, with its end, of what was said: for who writes lines by itself."""
    render = renderer()
    return lambda said: f"{render(None, 'info', said)!s}\n".encode()


def _json(document: Any, **_: Any) -> str:
    return msgspec.json.encode(document, enc_hook=repr).decode()
