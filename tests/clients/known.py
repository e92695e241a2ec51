"""The clients that are tried, as docs/reference/clients.md tells of them. What stands here, the tests beside it assert."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

FACTS = ("what happened", "expected and seen", "reason", "decision id", "link", "hint")
"""What a refusal tells, in the order of the page."""
BY_JSON = frozenset({"what happened", "expected and seen"})
BY_FORM = BY_JSON | {"reason", "decision id"}
"""What stands in `error_description` of the form endpoint."""
ALL = frozenset(FACTS)
SHOWS = {"all": ALL, "form": BY_FORM, "json": BY_JSON}


@dataclass(frozen=True, kw_only=True)
class Client:
    """One client: its package, the program that uses it, how it is told whom to trust, and what of a refusal it shows its user.

    `shows` is what an uncaught error prints; `more` says where a program finds the rest.
    """

    title: str
    row: str
    package: str
    program: str
    trust: str
    asks: str
    shows: frozenset[str]
    more: str = ""

    @property
    def path(self) -> Path:
        return HERE / self.program

    @property
    def language(self) -> str:
        return {".py": "python", ".mjs": "javascript", ".go": "go", ".java": "java"}[self.path.suffix]

    @property
    def version(self) -> str:
        """As the lock or the manifest has it that the tests run with."""
        return VERSIONS[self.path.suffix](self.package)


def _python(package: str) -> str:
    return _found(rf"^{re.escape(package)}==(\S+)", ROOT / "requirements.lock")


def _npm(package: str) -> str:
    lock = json.loads((ROOT / "tests" / "tools" / "package-lock.json").read_text("utf-8"))
    return str(lock["packages"][f"node_modules/{package}"]["version"])


def _go(package: str) -> str:
    return _found(rf"{re.escape(package)} v(\S+)", HERE / "go" / "go.mod")


def _maven(package: str) -> str:
    return _found(rf"<artifactId>{re.escape(package)}</artifactId>\s*<version>([^<]+)", HERE / "spring" / "pom.xml")


def _found(pattern: str, file: Path) -> str:
    found = re.search(pattern, file.read_text("utf-8"), re.MULTILINE)
    assert found is not None, (pattern, file)
    return found[1]


VERSIONS = {".py": _python, ".mjs": _npm, ".go": _go, ".java": _maven}


def _known() -> Iterator[tuple[str, Client]]:
    for name, entry in tomllib.loads(Path(__file__).with_name("clients.toml").read_text("utf-8")).items():
        yield name, Client(**{**entry, "shows": SHOWS[entry["shows"]]})


KNOWN: Mapping[str, Client] = dict(_known())
"""By the name of the fixture of each, or of what it does beside."""

PAGE = """\
# Clients

Each of these is taken as it is published, with the program that stands here: it asks, gets a token, and uses it at an API behind
`cambist.verify`; then it is refused once, so that one sees what its user sees. All of it is by TLS, with a private authority.
The versions are those that the tests ran with, [at each change](conformance.md).

| client | version | private authority by | what an uncaught refusal shows |
|---|---|---|---|"""


END = """
## Not tried

caracalai-oauth 1.0.0 cannot be had from the package indexes of the machines that run the tests.
[What it sends](../../tests/clients/test_clients_caracal.py) was written down where it ran, and is sent field by field, in its
order. That proves the wire, and not the client, so its row of the [conformance page](conformance.md) stays open."""


def page() -> Iterator[str]:
    """docs/reference/clients.md."""
    yield PAGE
    for client in KNOWN.values():
        shown = "everything" if client.shows == ALL else ", ".join(fact for fact in FACTS if fact in client.shows)
        yield f"| [{client.title}](#{_anchor(client.title)}) | {client.version} | {client.trust} | {shown} |"
    yield f"\n*Everything* is {', '.join(FACTS[:-1])} and {FACTS[-1]}. Every client gets the id in the header `cambist-decision-id`, too."
    for client in KNOWN.values():
        yield f"\n## {client.title}\n\n{client.asks}{' ' + client.more if client.more else ''}\n"
        yield f"```{client.language}\n{client.path.read_text('utf-8').rstrip()}\n```"
    yield END


def _anchor(title: str) -> str:
    """As both GitHub and mkdocs name a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
