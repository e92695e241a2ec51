"""Every command that a page shows is run by a test, or is listed with the reason why not; and every `cambist …` is one that there is."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click
import pytest
from habits.pages import blocks
from habits.workspace import ROOT, files

from cambist_api_key.command import group as api_key
from cambist_audit_log.command import audit
from cambist_hostapp.cli import COMMANDS, main
from cambist_keys_file.command import keys
from cambist_sqlite.command import store

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
READMES = sorted(path for path in ROOT.glob("*/*/README.md") if path.parts[-3].startswith("plugins"))
NOT_RUN = tomllib.loads((Path(__file__).parent / "not-run.toml").read_text("utf-8"))
BEGINNINGS = tuple(begin for entry in NOT_RUN.values() for begin in entry["begin"])
NOBODY = cast(Any, None)
"""What plugins' commands work on; here they are only read."""
BROUGHT = {"api-key": api_key(NOBODY), "audit": audit(NOBODY), "keys": keys(NOBODY), "store": store(NOBODY)}


def commands(page: Path) -> Iterator[str]:
    """The commands of a page, one a line; what stands in a here-document is none."""
    for block in [*blocks(page, "sh"), *(_typed(block) for block in blocks(page, "console"))]:
        whole = re.sub(r"<<'END'\n.*?^END$", "", block.replace("\\\n", " "), flags=re.MULTILINE | re.DOTALL)
        yield from (line.strip() for line in whole.splitlines() if line.strip())


def _typed(block: str) -> str:
    return "\n".join(line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))


def named() -> set[str]:
    """The pages that some test reads, by their file name: such a test takes the commands from the page, and runs them."""
    tests = [file.read_text("utf-8") for file in files() if file.name.startswith("test_") and file.suffix == ".py" and file.parent != ROOT]
    return {page.name for page in PAGES if any(f'{page.name}"' in test for test in tests)}


def test_every_command_of_a_page_is_run_or_is_listed_with_its_reason() -> None:
    read = named()
    unread = [page for page in PAGES if page.name not in read]
    assert [f"{page.name}: {line}" for page in unread for line in commands(page) if not line.startswith(BEGINNINGS)] == []


def test_every_exception_is_needed_and_says_why() -> None:
    shown = [line for page in PAGES for line in commands(page)]
    assert [begin for begin in BEGINNINGS if not any(line.startswith(begin) for line in shown)] == []
    assert all(entry.keys() == {"begin", "why"} and len(entry["why"]) > 20 for entry in NOT_RUN.values())


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_cambist_command_that_a_page_names_is_one(page: Path) -> None:
    inline = re.findall(r"`cambist ([^`<>…]+)`", page.read_text("utf-8"))
    shown = [found[1] for line in commands(page) if (found := re.search(r"(?:^|[|;] *|-- \S*|until )\bcambist ([^|&;<>]+)", line))]
    for words in [*inline, *shown]:
        _parsed(words)


@pytest.mark.parametrize(
    "wrong", ["serve --worker 4 --threads", "key list", "keys turn", "trust distrust --all", "exchange --token x --audiences y"]
)
def test_a_command_that_is_none_is_seen(wrong: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        _parsed(wrong)


def _parsed(words: str) -> None:
    """Down to the last command; values that a reader has to fill in may be of the wrong type. Raises UsageError."""
    command: click.Command = main
    arguments, parent = shlex.split(words, comments=True), None
    while arguments:
        try:
            context = command.make_context(command.name, arguments, parent=parent)
        except (click.MissingParameter, click.BadParameter, click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
            return
        if not isinstance(command, click.Group):
            return
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        command, arguments, parent = _within(command, context, rest[0]), rest[1:], context


def _within(group: click.Group, context: click.Context, name: str) -> click.Command:
    found = BROUGHT.get(name) if group is main and name not in COMMANDS else group.get_command(context, name)
    if found is None:
        raise click.UsageError(f"no command {name!r}")
    return found
