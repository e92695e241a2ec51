"""`cambist store …`: the file taken to a newer version, copied, and put back."""

from __future__ import annotations

from pathlib import Path

import click

from . import upkeep

LOST = """What was written after the backup was made is forgotten, revocations too: revoke again what was revoked since.
{marks}
The file that was there is beside it, with `.replaced` behind its name."""


def store(path: Path) -> click.Group:
    """The commands for the file of a store that is closed."""

    @click.group("store")
    def group() -> None:
        """Look after the store's file."""

    @group.command("migrate")
    def migrated() -> None:
        """Take the file to the version of the schema that this program works with. The service must be stopped; make a backup first."""
        done = upkeep.migrate(path)
        if done.before == done.after:
            click.echo(f"{path} has version {done.after} of the schema already")
        else:
            click.echo(f"{path} has version {done.after} of the schema now; it had version {done.before}")

    @group.command("backup")
    @click.argument("target", type=click.Path(path_type=Path))
    def copied(target: Path) -> None:
        """Copy the file into a new one, TARGET, as it is at one moment. The service may run meanwhile."""
        found = upkeep.backup(path, target)
        click.echo(f"{target} is a copy of {path}, with version {found} of the schema")

    @group.command("restore")
    @click.argument("source", type=click.Path(path_type=Path))
    def restored(source: Path) -> None:
        """Put the backup SOURCE in the place of the file. The service must be stopped."""
        done = upkeep.restore(path, source)
        click.echo(f"{path} is as {source} was, with version {done.version} of the schema")
        click.echo(LOST.format(marks=_carried(done.marks)), err=True)

    return group


def _carried(marks: int | None) -> str:
    if marks is None:
        return "The marks of the replaced file could not be carried over: what was used since may be used once more until it expires."
    return f"What was used since stays used: {marks} marks of the replaced file were carried over."
