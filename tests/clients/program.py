"""A client's program, run as its user runs it: a process that is told of us by its environment, and of our authority in its own way."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from habits.parts import absent, npm_package, program, tools

from cambist import AudienceMismatch, Refusal

from .stage import ELSEWHERE, Stage

HERE = Path(__file__).parent
TRUST = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "JAVA_TOOL_OPTIONS")
"""Variables by which some client learns whom to trust: each is given its own, so that none works by another's."""


@dataclass(frozen=True)
class Ran:
    """How a program ended, and everything that its user saw."""

    code: int
    out: str
    shown: str

    @property
    def seen(self) -> Any:
        """Whom the API saw. Fails with what the program wrote where it did not come so far."""
        assert self.code == 0, self.shown
        return json.loads(self.out)


@dataclass(frozen=True)
class Program:
    """The command of a client, and the variables that tell it whom to trust."""

    command: tuple[Path | str, ...]
    trust: Mapping[str, str]

    def runs(self, stage: Stage, **environment: str) -> Ran:
        """With its workload's token for us, unless the environment says otherwise."""
        clean = {name: value for name, value in os.environ.items() if name not in TRUST and not name.startswith("PYTEST")}
        told = {**clean, **self.trust, **stage.environment, **environment}
        words = [str(word) for word in self.command]
        done = subprocess.run(words, cwd=stage.folder, env=told, capture_output=True, text=True, timeout=60, check=False)
        return Ran(done.returncode, done.stdout, done.stdout + done.stderr)


def python(name: str, stage: Stage, trusting: str) -> Program:
    """One of tests/clients/python. Its packages are locked with all others."""
    return Program((sys.executable, HERE / "python" / name), _trust(stage, trusting))


def node(name: str, stage: Stage) -> Program:
    """One of tests/clients/node, in a folder in which the packages are found that `make tools` brought."""
    packages = npm_package(name.removesuffix(".mjs").replace("_", "-")).parent
    if not (link := stage.folder / "node_modules").exists():
        link.symlink_to(packages)
    shutil.copy(HERE / "node" / name, stage.folder)
    return Program((program("node"), stage.folder / name), _trust(stage, "NODE_EXTRA_CA_CERTS"))


def go(stage: Stage) -> Program:
    """The program of tests/clients/go, as `make tools` built it."""
    built = tools() / "externalaccount" / "externalaccount"
    return Program((built if built.is_file() else absent("externalaccount"),), _trust(stage, "SSL_CERT_FILE"))


def java(stage: Stage) -> Program:
    """The program of tests/clients/spring, with the archives that `make tools` brought."""
    archives = tools() / "spring" / "lib"
    if not archives.is_dir():
        absent("spring")
    return Program((program("java"), "-cp", f"{archives}/*", HERE / "spring" / "Exchange.java"), _trust(stage, "JAVA_TOOL_OPTIONS"))


def _trust(stage: Stage, variable: str) -> Mapping[str, str]:
    """A variable as `cambist dev --tls` prints it."""
    return {name: value for name, value, _ in stage.trust.variables() if name == variable}


def told(program: Program, stage: Stage) -> frozenset[str]:
    """What of our refusal of a token for somebody else its user saw."""
    return facts(program.runs(stage, **stage.workload(ELSEWHERE)), stage, AudienceMismatch)


def facts(ran: Ran, stage: Stage, refusal: type[Refusal]) -> frozenset[str]:
    """What a user saw of a refusal of this kind. Fails where there was none."""
    assert ran.code != 0, ran.shown
    text = re.sub(r"\s+", " ", ran.shown)
    signs = {
        "what happened": refusal.meaning().rstrip("."),
        "reason": refusal.reason,
        "link": f"{stage.sts}/reasons#{refusal.reason}",
        "hint": refusal.hint,
    }
    found = {name for name, sign in signs.items() if sign in text}
    if f"expected {stage.sts}" in text and f"seen {ELSEWHERE}" in text:
        found.add("expected and seen")
    if any(decision in text for decision in stage.decisions()):
        found.add("decision id")
    return frozenset(found)
