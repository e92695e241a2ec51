"""Remembers every credential, key and secret of a run, and looks for them wherever the service writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORTEST = 20
"""What is shorter is found by chance, and is no credential of any worth."""
_RUNS = re.compile(r"[A-Za-z0-9_-]{20,}")


class Canaries:
    """What must not be seen again. A JWT is as good as its signature is secret; its claims are for everybody to read."""

    def __init__(self) -> None:
        self._signatures: set[str] = set()
        self._whole: set[str] = set()

    def __len__(self) -> int:
        return len(self._signatures) + len(self._whole)

    def keep(self, secret: str) -> None:
        text = secret.strip()
        head, dot, signature = text.rpartition(".")
        if dot and head.count(".") == 1 and len(signature) >= SHORTEST and _RUNS.fullmatch(signature):
            self._signatures.add(signature)
        elif len(text) >= SHORTEST:
            self._whole.add(text)

    def seen_in(self, text: str) -> Iterator[str]:
        """The beginnings of those that are in a text."""
        # Set against set: thousands of signatures against megabytes of a ledger, one by one, would take minutes.
        yield from (f"{found[:6]}…" for found in self._signatures & set(_RUNS.findall(text)))
        yield from (f"{secret[:6]}…" for secret in self._whole if secret in text)

    def seen_in_files(self, files: Iterable[Path]) -> Iterator[tuple[str, str]]:
        for file in files:
            yield from ((file.name, found) for found in self.seen_in(file.read_text("utf-8", "replace")))
