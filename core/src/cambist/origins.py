"""Where each value of the settings came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any


class Origins(Mapping[str, str]):
    """The origin of each value, by its path in the document; `elsewhere` are those of what did not stand in `source` itself.

    They are found out when somebody asks: a start does not, and there may be a hundred thousand. What is shown of this never
    shows the document, whose secrets are bare.
    """

    def __init__(self, document: Mapping[str, Any], source: str, elsewhere: Mapping[str, str]) -> None:
        self._document, self._source, self._elsewhere = document, source, elsewhere

    @cached_property
    def _all(self) -> Mapping[str, str]:
        here = {path: self._source for name, value in self._document.items() for path in _paths(value, name)}
        return {**here, **self._elsewhere}

    def over(self, elsewhere: Mapping[str, str]) -> Origins:
        """The same, but for what came from elsewhere since."""
        return Origins(self._document, self._source, {**self._elsewhere, **elsewhere})

    def __getitem__(self, path: str) -> str:
        return self._all[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"Origins({self._source!r}, {self._elsewhere!r})"


def _paths(value: Any, path: str) -> Iterator[str]:
    """Of every value in a part of a document that is no table, and of those in its lists."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _paths(inner, f"{path}.{name}")
        return
    yield path
    for number, inner in enumerate(value if isinstance(value, list) else ()):
        yield from _paths(inner, f"{path}.{number}")
