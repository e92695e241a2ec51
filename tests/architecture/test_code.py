"""Rules of style that no linter knows: sizes, names, and words beside the code."""

from __future__ import annotations

import ast
import inspect
import re
import tokenize
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from habits.workspace import ROOT, definitions, sources

import cambist

LONGEST_FILE, LONGEST_TEST_FILE, LONGEST_FUNCTION = 250, 600, 40
"""In lines. What guards something has more test than code, and its tests stay in one module beside it."""
EMPTY_WORDS = ("Manager", "Service", "Helper", "Helpers", "Util", "Utils", "Base", "Handler", "Info", "Data", "Context")
MEANT = {"core/src/cambist/testing/service.py"}
"""A security token *service*: where the word is the field's own term, and not the end of a name that ran out of ideas."""


def _named(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_no_file_is_longer_than_a_page_of_thought() -> None:
    lengths = {_named(file): len(file.read_text("utf-8").splitlines()) for file in sources()}
    assert {name: n for name, n in lengths.items() if n > (LONGEST_TEST_FILE if "/test_" in name else LONGEST_FILE)} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{_named(file)}:{node.lineno} {node.name}: {length} lines"
        for file in sources()
        for node in definitions(file)
        if not isinstance(node, ast.ClassDef) and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == []


def test_every_file_begins_with_why_it_exists() -> None:
    assert [_named(file) for file in sources() if not ast.get_docstring(ast.parse(file.read_text("utf-8")))] == []


def test_no_class_and_no_module_has_a_name_that_says_nothing() -> None:
    ends = re.compile(rf"(?:^|[a-z0-9_])({'|'.join(EMPTY_WORDS)})$")
    classes = {(file, node.name) for file in sources() for node in definitions(file) if isinstance(node, ast.ClassDef)}
    modules = {_named(file) for file in sources() if file.stem.title() in EMPTY_WORDS}
    assert {f"{_named(file)}: {name}" for file, name in classes if ends.search(name)} | modules == MEANT


def _comments(file: Path) -> Iterator[tuple[int, str]]:
    with file.open("rb") as lines:
        yield from ((token.start[0], token.string) for token in tokenize.tokenize(lines.readline) if token.type == tokenize.COMMENT)


def test_every_excuse_to_a_linter_says_why() -> None:
    """As `# noqa: X - why`, or in a comment of its own right above."""
    excuse = re.compile(r"#\s*(?:noqa(?:: [A-Z0-9, ]+)?|type: ignore(?:\[[\w, -]+\])?)(?P<why>.*)$")
    bare = []
    for file in sources():
        comments = dict(_comments(file))
        for line, comment in comments.items():
            found = excuse.search(comment)
            if found and not found["why"].strip(" -#") and line - 1 not in comments:
                bare.append(f"{_named(file)}:{line}: {comment}")
    assert bare == []


def _told(home: str, name: str) -> Iterator[str]:
    """What is said of a public name: its own docstring, or the text below its assignment."""
    body = ast.parse(inspect.getsource(import_module(home))).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            yield ast.get_docstring(node) or ""
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in {t.id for t in ast.walk(node) if isinstance(t, ast.Name)}:
            yield str(after.value.value) if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""


@pytest.mark.parametrize("name", cambist.__all__)
def test_every_public_name_says_what_it_is(name: str) -> None:
    value = getattr(cambist, name)
    homes = [f"cambist.{home}" for home, names in cambist._HOMES.items() if name in names]
    home = value.__module__ if inspect.isclass(value) or inspect.isfunction(value) else homes[0]
    assert any(_told(home, name)), f"{home}.{name} has no docstring"
