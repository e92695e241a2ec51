"""One changed program: where it is changed, what it is called, and its code."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from .changes import Change, changes

Path = tuple[tuple[str, int | None], ...]
"""How to come to a node from the root: fields, and indices in those that are lists."""

LONGEST = 160
"""Letters of source that a name may have before and after the arrow."""
_NEVER = ("decorator_list", "annotation", "returns")
"""Nothing that runs, and what dataclasses and pytest read once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`name` says it all, and stays the same when lines move. `function` is what holds the change, None at a module's own level."""

    name: str
    lines: range
    path: Path
    change: Change
    function: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk is: within which names, statement and function."""

    names: tuple[str, ...] = ()
    statement: ast.stmt | None = None
    function: ast.AST | None = None


def mutants(source: str) -> list[Mutant]:
    """All that can be made of a source, each with a name of its own."""
    seen: Counter[str] = Counter()
    found = []
    for node, path, place in _walk(ast.parse(source), (), _Place()):
        for change in changes(node):
            name = f"{'.'.join(place.names) or '-'}: {' -> '.join(_short(_told(node), _told(change)))}"
            seen[name] += 1
            found.append(
                Mutant(
                    name=name if seen[name] == 1 else f"{name} ({seen[name]})",
                    lines=_lines(place.statement),
                    path=path,
                    change=change,
                    function=None if place.function is None else (place.function.lineno, place.function.col_offset),  # type: ignore[attr-defined]  # it has
                )
            )
    return found


def changed(source: str, mutant: Mutant) -> ast.Module:
    """The source with this one change. Raises KeyError when the path leads nowhere: it is another source."""
    root = ast.parse(source)
    node: ast.AST = root
    for field, index in mutant.path[:-1]:
        node = _child(node, field, index)
    field, index = mutant.path[-1]
    old = _child(node, field, index)
    new = mutant.change
    assert new is not None
    if isinstance(old, ast.expr | ast.stmt):
        new = ast.copy_location(new, old)
    if index is None:
        setattr(node, field, new)
    else:
        getattr(node, field)[index] = new
    return ast.fix_missing_locations(root)


def _child(node: ast.AST, field: str, index: int | None) -> ast.AST:
    value = getattr(node, field)
    found: ast.AST = value if index is None else value[index]
    return found


def _walk(node: ast.AST, path: Path, place: _Place) -> Iterator[tuple[ast.AST, Path, _Place]]:
    yield node, path, place
    for field, index, child in _children(node):
        yield from _walk(child, (*path, (field, index)), _inside(node, field, child, place))


def _children(node: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    if isinstance(node, ast.Raise | ast.JoinedStr):  # what a refusal says is for people
        return
    for field, value in ast.iter_fields(node):
        if field in _NEVER or (isinstance(node, ast.ClassDef) and field == "keywords"):
            continue
        if isinstance(value, ast.AST):
            yield field, None, value
        elif isinstance(value, list):
            yield from (
                (field, index, child) for index, child in enumerate(value) if isinstance(child, ast.AST) and not _does_nothing(child)
            )


def _does_nothing(node: ast.AST) -> bool:
    """`__all__` and `__slots__` are no behaviour, and what is imported for types alone is not run."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in ("__all__", "__slots__") for t in node.targets)


def _inside(node: ast.AST, field: str, child: ast.AST, place: _Place) -> _Place:
    names, statement, function = place.names, place.statement, place.function
    if field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names = (*names, node.name)
    if field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and function is None:
        function = node
    return _Place(names, child if isinstance(child, ast.stmt) else statement, function)


def _lines(statement: ast.stmt | None) -> range:
    """The lines of a statement without what stands under it."""
    if statement is None:
        return range(0)
    body = getattr(statement, "body", None)
    end = body[0].lineno - 1 if body else statement.end_lineno or statement.lineno
    return range(statement.lineno, max(end, statement.lineno) + 1)


def _told(node: Change) -> str:
    """One line of source; of what has a body, its head."""
    return "nothing" if node is None else ast.unparse(ast.fix_missing_locations(node)).strip().split("\n")[0]


def _short(one: str, other: str) -> tuple[str, str]:
    """Two texts; of long ones what is not alike in both, and a little around it."""
    if max(len(one), len(other)) <= LONGEST:
        return one, other
    start = _alike(one, other)
    end = _alike(one[start:][::-1], other[start:][::-1])
    first, second = (f"…{text[max(0, start - 20) : len(text) - end + 20]}…" for text in (one, other))
    return _cut(first), _cut(second)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 4 :]}"


def _alike(one: str, other: str) -> int:
    """How many letters two texts begin alike with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
