"""Writes the pages that the code has all the facts of: `python docs/generate.py`; with `--check` it only says whether one is stale."""

from __future__ import annotations

import inspect
import json
import pkgutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import groupby
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
from cambist.settings import Installation, Listen
from cambist.shape import Shape
from cambist.web.openapi import document
from cambist.wire.reasons import Reason
from cambist.wire.reasons import reasons as all_reasons
from cambist.zone import Application, KnownIdentity, Resource, Zone

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py out of the code: change the code, then run `make docs`. -->\n"


REASONS = """\
# Reason codes

Every refusal has a stable `reason`. A client may branch on it; the meaning of a code does not change, and neither does its anchor here.
`error_uri` of a refusal leads to the same text at `/reasons` of the service that refused, or to the page that `reasons_url` names.

A refusal says beside it what was `expected` and `seen` of the caller's own credential and request, in what two names differ that look
alike (`differs_in`), and a `decision_id`, with which [the ledger tells the rest](../how-to/find-out-why.md).
[Frequent mistakes](../how-to/frequent-mistakes.md) shows what each of the most frequent ones is answered.

A client's own bad proof is 401 `invalid_client` on the form endpoint, and on the JSON endpoint `access_denied`:
401 where it came in `Authorization`, else 403.
A type of the JSON page whose plugin is not enabled is 501 `not_implemented` there."""


def reasons() -> Iterator[str]:
    yield REASONS
    for family, members in groupby(all_reasons(), key=lambda reason: reason.family):
        yield f"\n## {family}"
        for reason in members:
            yield from _reason(reason)


def _reason(reason: Reason) -> Iterator[str]:
    yield f"\n### {reason.code}\n\n{reason.meaning}\n"
    yield f"- Likely cause: {reason.likely}"
    yield f"- What to do: {reason.fix}"
    yield f"- Told as: form {reason.form.status} `{reason.form.error}`, JSON {reason.json.status} `{reason.json.error}`"


MISTAKES = """\
# Frequent mistakes

What people do when they set up an exchange, what they are answered, and what helps. Each is made by a test over HTTP, at both endpoints,
and the answers are the service's own. The service is `https://sts.example.test`, the issuer that it trusts `https://issuer.example.test`.

| mistake | reason |
|---|---|"""


def mistakes() -> Iterator[str]:
    made = tomllib.loads((DOCS.parent / "tests/mistakes/mistakes.toml").read_text("utf-8"))
    yield MISTAKES
    for mistake in made.values():
        yield f"| {mistake['mistake']} | [{mistake['reason']}](../reference/reasons.md#{mistake['reason']}) |"
    for mistake in made.values():
        yield from _mistake(mistake)


def _mistake(mistake: dict[str, Any]) -> Iterator[str]:
    [reason] = [reason for reason in all_reasons() if reason.code == mistake["reason"]]
    told = [f"{dialect} {mistake[key][0]} `{mistake[key][1]}`" for dialect, key in (("form", "form"), ("JSON", "json")) if key in mistake]
    yield f"\n## {mistake['mistake']}\n\n> {mistake['said']}\n"
    yield f"- Reason: [{reason.code}](../reference/reasons.md#{reason.code}), {', '.join(told)}"
    yield f"- What to do: {reason.fix}"


def refusals(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    """Core's tree, depth first; a plugin may have kinds of its own, under the reason codes of core."""
    if kind.__module__.partition(".")[0] == "cambist":
        yield kind
        for child in kind.__subclasses__():
            yield from refusals(child)


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
        ("Top level", Installation),
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
    for capability in (hooks.CanPing, hooks.HasCommand, hooks.CanDiagnose, hooks.CanFind):
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


def clients() -> Iterator[str]:
    """What the tests of the clients assert of each."""
    sys.path.append(str(DOCS.parent / "tests"))
    yield from import_module("clients.known").page()


def openapi() -> Iterator[str]:
    yield json.dumps(document("https://sts.example.com"), indent=2, ensure_ascii=False)


PAGES = {
    "reference/reasons.md": reasons,
    "reference/claims.md": claims,
    "reference/settings.md": settings,
    "reference/openapi.json": openapi,
    "reference/hooks.md": hook_pages,
    "reference/clients.md": clients,
    "how-to/frequent-mistakes.md": mistakes,
}


def page(name: str) -> str:
    """The text of one page as the code has it now."""
    text = "\n".join(PAGES[name]()).rstrip() + "\n"
    return NOTE + text if name.endswith(".md") else text


def stale() -> list[str]:
    """The pages that are not what the code says."""
    return [name for name in PAGES if not (path := DOCS / name).exists() or path.read_text("utf-8") != page(name)]


def main() -> None:
    found = stale()
    if "--check" in sys.argv:
        sys.exit(f"stale, run `make docs`: {', '.join(found)}" if found else 0)
    for name in found:
        (DOCS / name).write_text(page(name), "utf-8")
        sys.stdout.write(f"written: docs/{name}\n")


if __name__ == "__main__":
    main()
