"""Writes docs/reference out of the code: `python docs/generate.py`; with `--check` it only says whether a page is stale."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from importlib_metadata import entry_points
from pydantic_core import PydanticUndefined

from cambist import hooks
from cambist.egress import EgressSettings
from cambist.errors import Refusal
from cambist.limits import Limits
from cambist.plugins import HOOKS, SEAMS
from cambist.profiles import CLAIMS, PROTECTED, WORKLOAD_CLAIMS
from cambist.settings import Listen, Service
from cambist.shape import Shape
from cambist.wire import codes, v1
from cambist.wire.refusing import row
from cambist.zone import Application, KnownIdentity, Resource, Zone

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Written by docs/generate.py out of the code: change the code, then run `make docs`. -->\n"


def reasons() -> Iterator[str]:
    yield "# Reason codes\n\nEvery refusal has a stable `reason`. A client may branch on it; the meaning of a code does not change.\n"
    yield "| reason | meaning | what to try | form | JSON |\n|---|---|---|---|---|"
    for kind in refusals(Refusal):
        form, json = row(codes.TABLE, _bare(kind)), row(v1.TABLE, _bare(kind))
        yield f"| `{kind.reason}` | {kind.meaning()} | {kind.hint} | {form.status} `{form.error}` | {json.status} `{json.error}` |"
    yield "\nA client's own bad proof is 401 `invalid_client` on the form endpoint, and on the JSON endpoint `access_denied`:"
    yield "401 where it came in `Authorization`, else 403."
    yield "A type of the JSON page whose plugin is not enabled is 501 `not_implemented` there."


def refusals(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    """Core's tree, depth first; a plugin may have kinds of its own, under the reason codes of core."""
    if kind.__module__.partition(".")[0] == "cambist":
        yield kind
        for child in kind.__subclasses__():
            yield from refusals(child)


def _bare(kind: type[Refusal]) -> Refusal:
    """A refusal to look up in the tables: only its class counts."""
    return kind.__new__(kind)


def claims() -> Iterator[str]:
    yield "# Claims of an issued token\n\nHeader: `alg`, `kid` (the RFC 7638 thumbprint), `typ` `at+jwt` (RFC 9068).\n"
    yield "| claim | meaning |\n|---|---|"
    for name, meaning in CLAIMS.items():
        yield f"| `{name}` | {meaning} |"
    others = ", ".join(f"`{name}`" for name in sorted(PROTECTED))
    yield f"\nA policy may add claims, never these: {others}."
    yield f"\nOn the form endpoint the policy's {', '.join(f'`{name}`' for name in sorted(WORKLOAD_CLAIMS))} are left out."
    yield "\n## The subject\n\n" + inspect.cleandoc(import_module("cambist.identifier").__doc__ or "")


def settings() -> Iterator[str]:
    yield "# Settings\n\nOne TOML file. The keys of the zone `default` stand at the top level, beside the service's own; further zones are"
    yield '`[zones.NAME]`. A value can be `{ env = "NAME" }` or `{ file = "PATH" }`. A key that nothing asks for is an error.\n'
    core: tuple[tuple[str, type[Shape]], ...] = (
        ("Service (top level)", Service),
        ("`[listen]`", Listen),
        ("`[listen.limits]`", Limits),
        ("`[egress]`", EgressSettings),
        ("Zone (top level, or `[zones.NAME]`)", Zone),
        ("`[applications.ID]`", Application),
        ("`[[applications.ID.identities]]`", KnownIdentity),
        ('`[resources."IDENTIFIER"]`', Resource),
    )
    for title, shape in core:
        yield from _table(title, shape)
    for entry in sorted(entry_points(group="cambist"), key=lambda entry: entry.name):
        for shape in _shapes(import_module(entry.value)):
            yield from _table(f"Plugin `{entry.name}`: {shape.__name__}", shape)


def _shapes(package: ModuleType) -> list[type[Shape]]:
    """Every settings shape that a plugin defines, the outermost last in its file and so first here."""
    modules = [package, *(import_module(f"{package.__name__}.{info.name}") for info in pkgutil.iter_modules(package.__path__))]
    found = [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Shape)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]
    return list(reversed(found))


def _table(title: str, shape: type[Shape]) -> Iterator[str]:
    yield f"## {title}\n\n{inspect.cleandoc(shape.__doc__ or '')}\n\n| key | default | meaning |\n|---|---|---|"
    for name, field in shape.model_fields.items():
        default = "required" if field.is_required() else _default(field.get_default(call_default_factory=True))
        yield f"| `{name}` | {default} | {field.description or ''} |"
    yield ""


def _default(value: Any) -> str:
    if value is PydanticUndefined or value is None or value in ("", (), {}) or isinstance(value, Shape):
        return ""
    return f"`{list(value) if isinstance(value, tuple) else value}`".replace("'", '"')


def hook_pages() -> Iterator[str]:
    yield f"# Hooks and seams\n\n{inspect.cleandoc(hooks.__doc__ or '')}\n"
    for name in HOOKS:
        seam = SEAMS[name]
        yield f"## `{name}{_signature(getattr(hooks, name))}`\n\n{inspect.getdoc(getattr(hooks, name))}\n"
        yield from _protocol(seam, f"### The object: `{seam.__name__}`")
    for title, protocol in (("## What a plugin may lean on: `Host`", hooks.Host), ("## In a zone: `ZoneHost`", hooks.ZoneHost)):
        yield from _protocol(protocol, title)
    yield "## Capabilities\n\nWhat an offered object may also be able to do.\n"
    for capability in (hooks.CanPing, hooks.HasCommand, hooks.CanFind):
        yield from _protocol(capability, f"### `{capability.__name__}`")


def _signature(function: Callable[..., Any]) -> str:
    """As it is called: without `self`, and without the quotes of postponed annotations."""
    return str(inspect.signature(function)).replace("'", "").replace("self, ", "").replace("(self)", "()")


def _protocol(protocol: type, title: str) -> Iterator[str]:
    yield f"{title}\n\n{inspect.getdoc(protocol)}\n"
    for name, member in vars(protocol).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property) and member.fget is not None:
            yield f"- `{name}: {inspect.signature(member.fget).return_annotation}`"
        elif inspect.isfunction(member):
            kind = "async " if inspect.iscoroutinefunction(member) else ""
            said = " ".join((inspect.getdoc(member) or "").split())
            yield f"- `{kind}{name}{_signature(member)}`{': ' + said if said else ''}"
    yield ""


PAGES = {"reasons.md": reasons, "claims.md": claims, "settings.md": settings, "hooks.md": hook_pages}


def page(name: str) -> str:
    """The text of one page as the code has it now."""
    return NOTE + "\n".join(PAGES[name]()).rstrip() + "\n"


def stale() -> list[str]:
    """The pages that are not what the code says."""
    return [name for name in PAGES if not (path := REFERENCE / name).exists() or path.read_text("utf-8") != page(name)]


def main() -> None:
    found = stale()
    if "--check" in sys.argv:
        sys.exit(f"stale, run `make docs`: {', '.join(found)}" if found else 0)
    for name in found:
        (REFERENCE / name).write_text(page(name), "utf-8")
        sys.stdout.write(f"written: docs/reference/{name}\n")


if __name__ == "__main__":
    main()
