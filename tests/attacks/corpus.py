"""Reads a folder of attack corpora: sets of cases, each with the verdict that it must get."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from cambist.testing.clock import NOON

Expect = Literal["accept", "refuse", "either"]
Http = int | str | list[int | str] | None
"""Statuses that are right: one, any of a list, or kinds of them as in `2xx|4xx`."""

VERDICTS = ("accept", "refuse", "either")
_OWN = frozenset({"id", "name", "category", "expect", "why", "input", "oauth_error", "http", "no_outbound"})


class NotACorpus(Exception):
    """A folder, or a case in it, that is not of the format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One attack, or one control; `oauth_error` and `http` are what a refusal must say, where the set says it."""

    id: str
    expect: Expect
    input: Mapping[str, Any]
    category: str = ""
    oauth_error: tuple[str, ...] = ()
    http: Http = None
    no_outbound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One set. `at` is the time at which all of it plays, `context` the trust that it assumes."""

    name: str
    folder: Path
    kind: str
    at: float = NOON
    context: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    elsewhere: int = 0
    """How many cases it has in another format than this one, else how many files."""

    def document(self, name: str) -> Any:
        """Another file of the set."""
        return json.loads((self.folder / name).read_text("utf-8"))


def corpora(folder: Path) -> Iterator[Corpus]:
    """Every set in a folder, by name. Raises NotACorpus."""
    if not folder.is_dir():
        raise NotACorpus(f"{folder}: no such folder")
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield read(inner)


def read(folder: Path) -> Corpus:
    """One set. What has no file of cases that we know is a set without cases, which still has its name."""
    try:
        if (strings := folder / "strings.json").is_file():
            return Corpus(name=folder.name, folder=folder, kind="naughty-strings", cases=tuple(_strings(_loaded(strings))))
        if (file := folder / "cases.json").is_file():
            document = _loaded(file)
            if "format" in document or all("expect" in case for case in document["cases"]):
                return _own(folder, document)
            return Corpus(name=folder.name, folder=folder, kind=folder.name, elsewhere=len(document["cases"]))
        files = sum(1 for path in folder.rglob("*") if path.is_file())
        return Corpus(name=folder.name, folder=folder, kind=folder.name, elsewhere=files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotACorpus(f"{folder}: {type(error).__name__}: {error}") from error


def _loaded(file: Path) -> Any:
    return json.loads(file.read_text("utf-8"))


def _own(folder: Path, document: Mapping[str, Any]) -> Corpus:
    context = document.get("context") or {}
    cases = tuple(_case(entry) for entry in document["cases"])
    name = document.get("corpus", folder.name)
    return Corpus(name=name, folder=folder, kind=name, at=float(document.get("at", NOON)), context=context, cases=cases)


def _case(entry: Mapping[str, Any]) -> Case:
    if entry["expect"] not in VERDICTS:
        raise ValueError(f"{entry['expect']!r} is no verdict")
    identity = str(entry.get("id") or entry["name"])
    given = entry.get("input")
    return Case(
        id=identity,
        category=str(entry.get("category") or _from_name(identity)),
        expect=cast("Expect", entry["expect"]),
        # A set that has no `input` has its members in the case itself.
        input=given if isinstance(given, dict) else {name: value for name, value in entry.items() if name not in _OWN},
        oauth_error=_several(entry.get("oauth_error")),
        http=entry.get("http"),
        no_outbound=bool(entry.get("no_outbound")),
    )


def _from_name(name: str) -> str:
    """JSONTestSuite writes its verdict and its category as a file name: `y_object_duplicated_key.json`."""
    return name.removesuffix(".json").partition("_")[2]


def _several(value: object) -> tuple[str, ...]:
    return () if value is None else tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _strings(strings: list[str]) -> Iterator[Case]:
    for number, text in enumerate(strings):
        yield Case(id=f"string-{number}", category="string", expect="either", input={"string": text})
