"""How commands answer: in words for people, in JSON for programs, and by exit code for both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, NoReturn

import click
import msgspec

from cambist import DidNotStart


class Exit(IntEnum):
    """What an exit code means; 2 is click's, for a command line that it cannot read."""

    DONE = 0
    NO = 1  # the answer is no: refused, denied, not found, does not verify
    CANNOT = 3  # it could not be tried: settings are wrong, a part is missing, nothing answers


def as_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def stop(code: Exit, *lines: str) -> NoReturn:
    """End with an exit code, saying why on standard error."""
    for line in lines:
        click.echo(line, err=True)
    sys.exit(code)


@contextmanager
def starting() -> Iterator[None]:
    """What keeps a service from starting ends the command in words: its settings, a plugin, or a port that is taken."""
    try:
        yield
    except DidNotStart as error:
        stop(Exit.CANNOT, str(error))
    except ExceptionGroup as errors:
        if errors.subgroup(OSError) is None:
            raise
        stop(Exit.CANNOT, f"cambist did not start: {errors.exceptions[0]}")
