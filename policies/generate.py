"""Writes the schemas of question and answer out of core: `python policies/generate.py`; with `--check` it only says what is stale."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cambist.answer import AnswerDocument
from cambist.question import VERSION, Question

HERE = Path(__file__).resolve().parent
SHAPES: dict[str, tuple[type, str]] = {
    "input.schema.json": (Question, f"What a policy is asked, version {VERSION}"),
    "answer.schema.json": (AnswerDocument, "What a policy answers"),
}


def schema(name: str) -> dict[str, Any]:
    """One schema as the code has it now."""
    shape, title = SHAPES[name]
    parts = msgspec.json.schema(shape)["$defs"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **parts.pop(shape.__name__), "$defs": parts, "title": title}


def text(name: str) -> str:
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def stale() -> Iterator[str]:
    """The files that are not what the code says."""
    for name in SHAPES:
        path = HERE / name
        if not path.exists() or path.read_text("utf-8") != text(name):
            yield name


def main() -> None:
    found = list(stale())
    if "--check" in sys.argv:
        sys.exit(f"stale, run `python policies/generate.py`: {', '.join(found)}" if found else 0)
    for name in found:
        (HERE / name).write_text(text(name), "utf-8")
        sys.stdout.write(f"written: policies/{name}\n")


if __name__ == "__main__":
    main()
