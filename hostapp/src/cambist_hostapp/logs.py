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
    if sys.stderr.isatty():
        # Where `rich` is installed, it would show the locals of each frame: those hold credentials.
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer(serializer=_json)


def rendered() -> Callable[[msgspec.Struct], bytes]:
    """What makes one line, with its end, of what was said: for who writes lines by itself."""
    if not sys.stderr.isatty():
        return lambda said: msgspec.json.encode(said) + b"\n"
    render = renderer()
    return lambda said: f"{render(None, 'info', msgspec.to_builtins(said))!s}\n".encode()


def _json(document: Any, **_: Any) -> str:
    return msgspec.json.encode(document, enc_hook=repr).decode()
