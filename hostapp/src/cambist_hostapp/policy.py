"""`cambist policy`: test and build rules with OPA, and ask them a question without it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from cambist import Deny, Permit, Unavailable
from cambist.strictjson import NotStrict, loads

from .output import Exit, as_json, stop

if TYPE_CHECKING:
    from cambist_opa_wasm.instance import Bounds

ENTRYPOINT = "cambist/exchange/decision"
"""The one rule that every backend asks."""
NO_OPA = (
    "OPA is absent, and rules are tested and built with it: run `make tools`, or put the program `opa` "
    "(https://www.openpolicyagent.org/docs/latest/#running-opa) on PATH or into $CAMBIST_TOOLS/bin."
)

_folder = click.argument("folder", default="policies", type=click.Path(exists=True, file_okay=False, path_type=Path))
_read = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_entrypoint = click.option("--entrypoint", default=ENTRYPOINT, show_default=True, help="The rule that decides.")


@click.group(epilog="Exit codes: 0 done or allowed, 1 failed or denied, 2 the command line is wrong, 3 it could not be tried.")
def policy() -> None:
    """Test, build and ask the rules."""


@policy.command("test")
@_folder
def test_rules(folder: Path) -> None:
    """Check the rules in FOLDER (policies), against input.schema.json if it is there, and run their tests. Needs OPA."""
    schema = ["--schema", "input.schema.json"] if (folder / "input.schema.json").exists() else []
    _must(folder, "check", "--strict", "--bundle", ".", *schema)
    done = _ran(folder, "test", "--bundle", ".")
    click.echo(done.stdout, nl=False)
    if done.returncode != 0:
        stop(Exit.NO, done.stderr.strip() or "the rules do not pass their tests")


@policy.command("build")
@_folder
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The bundle to write; else bundle.tar.gz in FOLDER.")
@_entrypoint
def build(folder: Path, output: Path | None, entrypoint: str) -> None:
    """Compile the rules in FOLDER (policies) to WebAssembly, try them, and replace the bundle. Needs OPA."""
    target = (output or folder / "bundle.tar.gz").absolute()
    # Beside its place and under another name, so that a running service never reads half of it.
    made = target.with_name(f".{os.getpid()}-{target.name}")
    try:
        # OPA writes the paths that it is given into the module: it is started in the folder, so that the bytes are the same everywhere.
        arguments = ("--bundle", ".", "--target", "wasm", "--entrypoint", entrypoint, "--ignore", "*_test.rego")
        _must(folder, "build", *arguments, "--output", str(made))
        revision = _tried(made, entrypoint)
        made.replace(target)
    except OSError as error:
        stop(Exit.CANNOT, f"the bundle cannot be written: {error}")
    finally:
        made.unlink(missing_ok=True)
    click.echo(f"built: {output or folder / 'bundle.tar.gz'} ({revision})")


@policy.command("decide")
@click.option("--input", "question", required=True, type=_read, help="The question, as input.schema.json has it; `-`: standard input.")
@click.option("--data", type=_read, help="A JSON document that is merged over the bundle's data.")
@click.option("--bundle", type=_read, help="The rules; else the default ones.")
@_entrypoint
@click.option("--json", "in_json", is_flag=True, help="Print the answer as the rules gave it.")
def decide(question: Path, data: Path | None, bundle: Path | None, entrypoint: str, in_json: bool) -> None:
    """Ask compiled rules one question. Needs no OPA, and no service that runs."""
    from cambist_opa_wasm.result import answered

    text = _question(question)
    try:
        raw = _evaluated(text, bundle, data, entrypoint)
        answer = answered(raw)
    except Unavailable as error:
        stop(Exit.CANNOT, f"no answer from the rules: {_cause(error)}")
    if in_json:
        as_json(loads(raw)[0]["result"])
    else:
        click.echo("\n".join(_permitted(answer) if isinstance(answer, Permit) else _denied(answer)))
    if isinstance(answer, Deny):
        stop(Exit.NO)


# ── with OPA ────────────────────────────────────────────────────────────────────────────────────────────


def _must(folder: Path, *arguments: str) -> None:
    """Run OPA; ends the command with what it said when it fails."""
    done = _ran(folder, *arguments)
    if done.returncode != 0:
        stop(Exit.NO, (done.stderr + done.stdout).strip() or f"opa {arguments[0]} failed")


def _ran(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [_opa(), *arguments]
    try:
        return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        stop(Exit.CANNOT, f"OPA cannot be started: {error}")


def _opa() -> str:
    """The program, from the folder that `make tools` fills, else from PATH."""
    named = os.environ.get("CAMBIST_TOOLS")
    own = (Path(named).absolute() if named else Path.home() / ".cache" / "cambist" / "tools") / "bin" / "opa"
    found = str(own) if own.is_file() and os.access(own, os.X_OK) else shutil.which("opa")
    return found or stop(Exit.CANNOT, NO_OPA)


def _tried(bundle: Path, entrypoint: str) -> str:
    """The revision of rules that can be put to work; ends the command when they cannot, so that no bad bundle is left behind."""
    from cambist_opa_wasm.loaded import LoadedRules
    from cambist_opa_wasm.rules import read

    try:
        rules = read(bundle, None)
        LoadedRules(rules, entrypoint, _bounds())
    except Unavailable as error:
        stop(Exit.NO, f"the rules compile, but cannot be put to work: {_cause(error)}")
    return rules.revision


# ── without OPA ─────────────────────────────────────────────────────────────────────────────────────────


def _question(path: Path) -> bytes:
    """The document as it stands; ends the command when it is no question."""
    from cambist.question import Question

    name = "standard input" if path == Path("-") else str(path)
    with click.open_file(str(path), "rb") as file:
        text: bytes = file.read()
    try:
        loads(text)
        msgspec.json.decode(text, type=Question)
    except NotStrict as error:
        stop(Exit.CANNOT, f"{name}: {error}")
    except msgspec.ValidationError as error:
        stop(Exit.CANNOT, f"{name} is no question: {error}")
    return text


def _evaluated(question: bytes, bundle: Path | None, data: Path | None, entrypoint: str) -> bytes:
    """What the rules answer, within the limits that a service has by default. Raises Unavailable."""
    from cambist_opa_wasm.calls import fastest
    from cambist_opa_wasm.instance import Instance
    from cambist_opa_wasm.module import compiled
    from cambist_opa_wasm.policy import DEFAULT
    from cambist_opa_wasm.rules import read
    from cambist_opa_wasm.runtime import runtime

    rules = read(bundle or DEFAULT, data)
    with runtime():
        return Instance(compiled(rules.wasm), rules.data, entrypoint, _bounds(), fastest()).evaluate(question)


def _bounds() -> Bounds:
    from cambist_opa_wasm.instance import Bounds
    from cambist_opa_wasm.settings import OpaWasmSettings

    limits = OpaWasmSettings()
    return Bounds(fuel=limits.fuel, deadline=limits.deadline, memory=limits.memory)


def _cause(error: Unavailable) -> str:
    cause = error.facts.get("cause")
    return "; ".join(cause) if isinstance(cause, list) else str(cause)


def _permitted(answer: Permit) -> Iterator[str]:
    """The bounds, in words: what is not bounded here is still bounded by what was asked and proved."""
    yield "allowed"
    yield f"  scope     {'not bounded' if answer.scope is None else ' '.join(sorted(answer.scope)) or 'none'}"
    yield f"  lifetime  {'not bounded' if answer.ttl is None else f'at most {answer.ttl} seconds'}"
    yield from (f"  claim     {name} = {value!r}" for name, value in answer.claims.items())
    if answer.multi_audience:
        yield "  targets   may share the token"


def _denied(answer: Deny) -> Iterator[str]:
    yield "denied"
    yield from (f"  target    {target}" for target in answer.targets)
    yield from (f"  reason    {reason}{' (the caller is told)' if reason in answer.said else ''}" for reason in answer.reasons)
