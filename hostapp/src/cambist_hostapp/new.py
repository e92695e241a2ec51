"""`cambist plugin new`: the skeleton of a plugin, which is the plugin `acme` under another name."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import click
from importlib_metadata import PackageNotFoundError, version

from .output import Exit, as_json, stop

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 24
TEMPLATE = {
    "pyproject": "pyproject.toml",
    "readme": "README.md",
    "package": "src/cambist_acme/__init__.py",
    "contract": "tests/test_acme_contract.py",
}
"""The files of `acme` that are copied, by what they are called beside this one: there they are links, in a wheel the files themselves."""
TOOLS = """
[tool.pytest.ini_options]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "function"

[tool.ruff]
line-length = 140

[tool.ruff.lint.isort]
known-first-party = ["cambist", "cambist_*"]
"""
"""What a workspace says once, and a distribution that stands alone says itself."""


@click.group()
def plugin() -> None:
    """Write a plugin of your own."""


@plugin.command()
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write it; else cambist-NAME in this folder.")
@click.option("--json", "in_json", is_flag=True, help="Print one JSON document.")
def new(name: str, folder: Path | None, in_json: bool) -> None:
    """Write the skeleton of a plugin for a token type of your own: a distribution that is tested and can be enabled as it is."""
    if (problem := _unfit(name)) is not None:
        raise click.UsageError(problem)
    target = folder or Path(f"cambist-{name}")
    if target.exists():
        stop(Exit.CANNOT, f"{target} is there already: nothing was written; choose another --folder")
    try:
        written = _write(target, name)
    except OSError as error:
        stop(Exit.CANNOT, f"{target} cannot be written: {error}")
    if in_json:
        return as_json({"distribution": f"cambist-{name}", "folder": str(target), "files": written})
    click.echo("\n".join(f"written: {target / file}" for file in written))
    click.echo(f'\nNext:\n  cd {target}\n  pip install --editable . "cambist[testing]"\n  pytest')
    return None


def _unfit(name: str) -> str | None:
    """Why a plugin cannot have this name, in one sentence."""
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        return f"a plugin's name is small letters and digits, a letter first, single hyphens in between, {LONGEST} at most: not {name!r}"
    try:
        return f"cambist-{name} {version(f'cambist-{name}')} is installed already: choose another name"
    except PackageNotFoundError:
        return None


def _write(target: Path, name: str) -> list[str]:
    """Every file, under its new name and with the new name in it. Raises OSError."""
    texts = {_renamed(file, name): _renamed(_template(source), name) for source, file in TEMPLATE.items()}
    if not _in_workspace(target):
        texts["pyproject.toml"] += TOOLS
    texts[_renamed("src/cambist_acme/py.typed", name)] = ""
    for file, text in texts.items():
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (target / file).write_text(text, "utf-8")
    return sorted(texts)


def _template(source: str) -> str:
    return files(__package__).joinpath("template", source).read_text("utf-8")


def _in_workspace(target: Path) -> bool:
    return any((folder / "pyproject.toml").is_file() for folder in target.resolve().parents)


def _renamed(text: str, name: str) -> str:
    """The text with `name` in place of `acme`: as a name, in identifiers, in capitals, and where a sentence begins."""
    identifier = name.replace("-", "_")
    spelt = {
        "cambist_acme": f"cambist_{identifier}",
        "test_acme": f"test_{identifier}",
        "ACME": identifier.upper(),
        "Acme": name.capitalize(),
        "acme": name,
    }
    return re.sub("|".join(spelt), lambda found: spelt[found[0]], text)
