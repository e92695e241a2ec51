"""What stands in a document for a value that is elsewhere: `{env = …}` and `{file = …}`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

UNRESOLVED = "unresolved"
"""What stands for a reference to nothing while the other problems are looked for."""


def resolved(value: Any, path: tuple[object, ...], elsewhere: dict[str, str], problems: list[str]) -> Any:
    """A part of a document, with what its references refer to in their place; each is added to `elsewhere`, by its path."""
    if isinstance(value, Mapping):
        if len(value) == 1 and (kind := next(iter(value))) in ("env", "file") and isinstance(value[kind], str):
            place = ".".join(map(str, path))
            elsewhere[place] = f"{kind} {value[kind]}"
            return _referred(kind, value[kind], place, problems)
        return {k: v if isinstance(v, str) else resolved(v, (*path, k), elsewhere, problems) for k, v in value.items()}
    return [resolved(v, (*path, i), elsewhere, problems) for i, v in enumerate(value)] if isinstance(value, list) else value


def _referred(kind: str, name: str, path: str, problems: list[str]) -> str:
    try:
        return os.environ[name] if kind == "env" else Path(name).read_text("utf-8").rstrip("\r\n")
    except KeyError:
        problems.append(f"{path}: the environment variable {name} is not set")
    except (OSError, ValueError) as error:  # text that is not UTF-8, a name with a zero byte
        problems.append(f"{path}: {error}")
    return UNRESOLVED
