"""`make tools`: brings the real parts that tests are run against into one folder outside the tree, and leaves what is there already.

Needs nothing but Python, so that it can say of every other program that it is missing. What cannot be had is said and skipped: whether
that matters is for the tests to say.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

HERE = Path(__file__).resolve().parent
OPA = "1.22.2"
GO = (1, 21)
"""The first Go that fetches by itself the newer one that a module asks for; this OPA asks for 1.26."""
NODE = (20,)
KEYCLOAK = "26.7.3"
JAVA = (17,)
APT = Lock()

Version = tuple[int, ...]


class CannotBring(Exception):
    """A part that this machine cannot have, and why."""


def tools() -> Path:
    named = os.environ.get("CAMBIST_TOOLS")
    return Path(named).absolute() if named else Path.home() / ".cache" / "cambist" / "tools"


# ── the parts ───────────────────────────────────────────────────────────────────────────────────────────


def opa(folder: Path) -> str:
    """OPA is in no package index but Go's, so it is built: a minute and a half on two cores."""
    target = folder / "bin" / "opa"
    if target.exists() and f"Version: {OPA}\n" in ran([target, "version"]):
        return f"{OPA}  {target}"
    go, _ = program("go", package="golang-go", least=GO, ask="version")
    with staged(folder) as stage:
        ran([go, "install", f"github.com/open-policy-agent/opa@v{OPA}"], env={"CGO_ENABLED": "0", "GOBIN": str(stage)})
        target.parent.mkdir(exist_ok=True)
        (stage / "opa").replace(target)
    return f"{OPA}  {target}"


def npm_packages(folder: Path) -> str:
    """What package-lock.json beside this file pins."""
    target, lock = folder / "npm", HERE / "package-lock.json"
    installed = target / "package-lock.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        program("node", package="nodejs", least=NODE)
        npm, _ = program("npm", package="npm")
        with staged(folder) as stage:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, stage)
            ran([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=stage)
            shutil.rmtree(target, ignore_errors=True)
            stage.rename(target)
    package = target / "node_modules" / "oidc-provider"
    return f"{json.loads((package / 'package.json').read_text('utf-8'))['version']}  {package}"


def curl(folder: Path) -> str:
    """The client of the published pages, as the machine has it."""
    found, version = program("curl", package="curl")
    return f"{_dotted(version)}  {found}"


def keycloak(folder: Path) -> str:
    """Keycloak is in Maven's repository. Its own build, half a minute, is done here once, so that no start has to."""
    target = folder / f"keycloak-{KEYCLOAK}"
    if not target.exists():
        maven, _ = program("mvn", package="maven")
        program("java", package="default-jre-headless", least=JAVA)
        with staged(folder) as stage:
            artifact = f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK}:zip"
            ran([maven, "-B", "-q", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={stage}"], cwd=stage)
            with zipfile.ZipFile(stage / f"keycloak-quarkus-dist-{KEYCLOAK}.zip") as archive:
                archive.extractall(stage)
            ran(["sh", stage / target.name / "bin" / "kc.sh", "build", "--db=dev-mem"])
            (stage / target.name).rename(target)
    return f"{KEYCLOAK}  {target}"


PARTS: Mapping[str, Callable[[Path], str]] = {"opa": opa, "oidc-provider": npm_packages, "curl": curl, "keycloak": keycloak}


# ── how they come ───────────────────────────────────────────────────────────────────────────────────────


def program(name: str, *, package: str, least: Version = (0,), ask: str = "--version") -> tuple[str, Version]:
    """The program on PATH, and its version; where it is missing and we may install it, Debian's. Raises CannotBring."""
    if shutil.which(name) is None:
        install(package, least)
    if (found := shutil.which(name)) is None:
        raise CannotBring(f"needs {name}, which is not on PATH")
    if (version := numbers(ran([found, ask]))) < least:
        raise CannotBring(f"needs {name} {_dotted(least)} or newer, {found} is {_dotted(version)}")
    return found, version


def install(package: str, least: Version) -> None:
    """Debian's package, where this is Debian, we are root, and its version helps."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    quietly = {"DEBIAN_FRONTEND": "noninteractive"}
    with APT:
        ran(["apt-get", "update", "-q"], env=quietly)
        offered = re.search(r"Candidate: (?:\d+:)?(\S+)", ran(["apt-cache", "policy", package]))
        if offered is None or (version := numbers(offered[1])) < least:
            raise CannotBring(f"needs {package} {_dotted(least)} or newer, Debian has {_dotted(version) if offered else 'none'}")
        ran(["apt-get", "install", "-q", "-y", "--no-install-recommends", package], env=quietly)


def numbers(text: str) -> Version:
    """The first version in a text."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _dotted(version: Version) -> str:
    return ".".join(map(str, version)) or "of no version"


def ran(command: list[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a command wrote. Raises CannotBring with its last words when it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise CannotBring(f"{' '.join(words[:2])} failed with {done.returncode}: {last}")
    return done.stdout


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside the target, so that what is half brought is never found. It goes when the block ends, unless it was moved."""
    stage = Path(tempfile.mkdtemp(prefix=".bringing-", dir=folder))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def bring(name: str, folder: Path) -> None:
    """Bring one part and print its line."""
    began = time.monotonic()
    try:
        said = f"{PARTS[name](folder)}  ({time.monotonic() - began:.1f} s)"
    except (CannotBring, OSError) as error:
        said = f"absent: {error}"
    print(f"{name:<14} {said}", flush=True)


def main() -> None:
    folder = tools()
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(PARTS)) as at_once:
        for done in [at_once.submit(bring, name, folder) for name in PARTS]:
            done.result()


if __name__ == "__main__":
    main()
