"""`make tools`: brings the real parts that tests are run against into one folder outside the tree, and leaves what is there already.

Needs nothing but Python, so that it can say of every other program that it is missing. What cannot be had is said and skipped: whether
that matters is for the tests to say.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from fetching import GO, CannotBring, built, dotted, holds, named, program, ran, settled, staged

HERE = Path(__file__).resolve().parent
CLIENTS = HERE.parent / "clients"
OPA = "1.22.2"
NODE = (20,)
KEYCLOAK = "26.7.3"
JAVA = (17,)
MAVEN = Lock()
"""Its local repository is not made for two that write at once."""


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
            settled(stage, target)
    package = target / "node_modules" / "oidc-provider"
    return f"{json.loads((package / 'package.json').read_text('utf-8'))['version']}  {package}"


def curl(folder: Path) -> str:
    """The client of the published pages, as the machine has it."""
    found, version = program("curl", package="curl")
    return f"{dotted(version)}  {found}"


def nginx(folder: Path) -> str:
    """The proxy of the how-to, as the machine has it. It says its version where nobody reads it."""
    found, _ = program("nginx", package="nginx", least=(), ask="-v")
    return str(found)


def systemd_analyze(folder: Path) -> str:
    """What judges the unit of deploy/."""
    found, version = program("systemd-analyze", package="systemd", least=())
    return f"{dotted(version)}  {found}"


def keycloak(folder: Path) -> str:
    """Keycloak is in Maven's repository. Its own build, half a minute, is done here once, so that no start has to."""
    target = folder / f"keycloak-{KEYCLOAK}"
    if not target.exists():
        maven, _ = program("mvn", package="maven")
        program("java", package="default-jre-headless", least=JAVA)
        with staged(folder) as stage:
            artifact = f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK}:zip"
            with MAVEN:
                ran([maven, "-B", "-q", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={stage}"], cwd=stage)
            with zipfile.ZipFile(stage / f"keycloak-quarkus-dist-{KEYCLOAK}.zip") as archive:
                archive.extractall(stage)
            ran(["sh", stage / target.name / "bin" / "kc.sh", "build", "--db=dev-mem"])
            (stage / target.name).rename(target)
    return f"{KEYCLOAK}  {target}"


def externalaccount(folder: Path) -> str:
    """Go's own client for workload identities, in the program of tests/clients/go."""
    target, sources = folder / "externalaccount", CLIENTS / "go"
    built(folder, target, sources, {"externalaccount": "."})
    return f"{named(sources / 'go.mod', 'golang.org/x/oauth2')}  {target}"


def kube_apiserver(folder: Path) -> str:
    """An API server of Kubernetes and the etcd beneath it are Go modules, and are built: some five minutes on two cores."""
    target, sources = folder / "kubernetes", HERE / "kubernetes"
    built(folder, target, sources, {"kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver", "etcd": "go.etcd.io/etcd/server/v3"})
    return f"{named(sources / 'go.mod', 'k8s.io/kubernetes ')}  {target}"


def spring(folder: Path) -> str:
    """The archives of Spring Security that tests/clients/spring names; Java runs the program beside them from its source."""
    target, sources = folder / "spring", CLIENTS / "spring"
    if not holds(target, sources):
        maven, _ = program("mvn", package="maven")
        program("javac", package="default-jdk-headless", least=JAVA)  # which java needs to run what is a source
        with staged(folder) as stage, MAVEN:
            shutil.copytree(sources, stage, dirs_exist_ok=True)
            ran([maven, "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={stage / 'lib'}"], cwd=stage)
            settled(stage, target)
    return f"{named(sources / 'pom.xml', 'spring-security-oauth2-client')}  {target}"


PARTS: Mapping[str, Callable[[Path], str]] = {
    "opa": opa,
    "oidc-provider": npm_packages,
    "curl": curl,
    "nginx": nginx,
    "systemd-analyze": systemd_analyze,
    "keycloak": keycloak,
    "externalaccount": externalaccount,
    "kube-apiserver": kube_apiserver,
    "spring": spring,
}


# ── all of them ─────────────────────────────────────────────────────────────────────────────────────────


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
