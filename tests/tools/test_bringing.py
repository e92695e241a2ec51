"""The script behind `make tools`, with programs of the test's own in place of go, npm and node."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

OLD_GO = "echo go version go1.19 linux/amd64"
GO = """
case "$1" in
  version) echo go version go1.26.1 linux/amd64 ;;
  install) printf '#!/bin/sh\\necho "Version: 1.22.2"\\n' > "$GOBIN/opa"; chmod +x "$GOBIN/opa" ;;
  build) test -f go.sum && echo "built of $4" > "$3" ;;
esac"""
BROKEN_GO = """
case "$1" in
  version) echo go version go1.26.1 linux/amd64 ;;
  install) echo half > "$GOBIN/opa"; echo something; echo no such module >&2; exit 1 ;;
  build) echo half > "$3"; exit 1 ;;
esac"""
NODE = "echo v20.20.2"
NPM = """
case "$1" in
  --version) echo 10.8.2 ;;
  ci) test -f package.json && test -f package-lock.json && mkdir -p node_modules/oidc-provider &&
    echo '{"version": "9.13.3"}' > node_modules/oidc-provider/package.json ;;
esac"""
BROKEN_NPM = 'test "$1" = --version && echo 10.8.2 || exit 7'
JAVAC = "echo javac 17.0.15"
COPYING_MVN = """
test "$1" = --version && { echo Apache Maven 3.8.7; exit; }
for word in "$@"; do case "$word" in -DoutputDirectory=*) to="${word#*=}";; esac; done
test "$3" = dependency:copy-dependencies && test -f pom.xml && mkdir "$to" && touch "$to/spring.jar" """
JAVA = "echo openjdk 17.0.15 2025-04-15"
MVN = r"""
test "$1" = --version && { echo Apache Maven 3.8.7; exit; }
for word in "$@"; do case "$word" in -DoutputDirectory=*) to="${word#*=}";; esac; done
python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/keycloak-quarkus-dist-26.7.3.zip", "w") as archive:
    archive.writestr("keycloak-26.7.3/bin/kc.sh", "echo built with $2 > $(dirname $0)/built")
' "$to" """
APT_GET = """echo "$@" >> "$HOME/asked" """
APT_CACHE = "printf 'golang-go:\\n  Installed: (none)\\n  Candidate: 2:1.19~1\\n'"

Bring = Callable[..., dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tools"


@pytest.fixture
def bring(tmp_path: Path, folder: Path) -> Bring:
    """Runs the script on a machine that has these programs and no others; returns what it said of each part."""

    def run(**programs: str) -> dict[str, str]:
        path = tmp_path / "path"
        path.mkdir(exist_ok=True)
        for old in path.iterdir():
            old.unlink()
        for name, script in programs.items():
            (path / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
            (path / name).chmod(0o755)
        done = subprocess.run(
            [sys.executable, HERE / "bring.py"],
            env={"PATH": str(path), "CAMBIST_TOOLS": str(folder), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return dict(line.split(None, 1) for line in done.stdout.splitlines())

    return run


def test_opa_is_built_into_the_folder_once(bring: Bring, folder: Path) -> None:
    assert bring(go=GO)["opa"].startswith(f"1.22.2  {folder}/bin/opa")
    assert os.access(folder / "bin" / "opa", os.X_OK)
    assert bring()["opa"].startswith("1.22.2"), "without go, what is there already is enough"


def test_an_older_opa_is_replaced(bring: Bring, folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "opa").write_text("#!/bin/sh\necho Version: 1.0.0\n")
    (folder / "bin" / "opa").chmod(0o755)
    bring(go=GO)
    assert "1.22.2" in (folder / "bin" / "opa").read_text()


def test_the_npm_packages_are_installed_once_and_again_when_the_lock_changes(bring: Bring, folder: Path) -> None:
    package = folder / "npm" / "node_modules" / "oidc-provider"
    assert bring(npm=NPM, node=NODE)["oidc-provider"].startswith(f"9.13.3  {package}")
    assert bring()["oidc-provider"].startswith("9.13.3"), "without npm, what is there already is enough"
    (folder / "npm" / "package-lock.json").write_text("{}")
    (folder / "npm" / "stale").touch()
    bring(npm=NPM, node=NODE)
    assert not (folder / "npm" / "stale").exists()


def test_keycloak_is_unpacked_and_built_once(bring: Bring, folder: Path) -> None:
    home = folder / "keycloak-26.7.3"
    assert bring(mvn=MVN, java=JAVA, sh="exec /bin/sh $@")["keycloak"].startswith(f"26.7.3  {home}")
    assert (home / "bin" / "built").read_text() == "built with --db=dev-mem\n"
    assert [path for path in folder.iterdir() if path != home] == [], "the archive is not kept"
    assert bring()["keycloak"].startswith("26.7.3"), "without Maven and Java, what is there already is enough"


def test_the_go_program_is_built_once_and_again_when_its_source_changes(bring: Bring, folder: Path) -> None:
    home = folder / "externalaccount"
    assert re.match(rf"[0-9.]+  {home} ", bring(go=GO)["externalaccount"])
    assert (home / "externalaccount").read_text() == "built of .\n"
    assert str(home) in bring()["externalaccount"], "without go, what is there already is enough"
    (home / "main.go").write_text("an older one")
    assert bring()["externalaccount"].startswith("absent: needs go")
    bring(go=GO)
    assert (home / "main.go").read_bytes() == (ROOT / "tests" / "clients" / "go" / "main.go").read_bytes()


def test_an_api_server_and_its_store_are_built_once_of_the_modules_that_are_pinned(bring: Bring, folder: Path) -> None:
    home = folder / "kubernetes"
    assert re.match(rf"1\.[0-9.]+  {home} ", bring(go=GO)["kube-apiserver"])
    assert (home / "kube-apiserver").read_text() == "built of k8s.io/kubernetes/cmd/kube-apiserver\n"
    assert (home / "etcd").read_text() == "built of go.etcd.io/etcd/server/v3\n"
    assert str(home) in bring()["kube-apiserver"], "without go, what is there already is enough"
    (home / "go.sum").write_text("an older one")
    assert bring()["kube-apiserver"].startswith("absent: needs go")


def test_springs_archives_are_brought_once_and_again_when_the_pom_changes(bring: Bring, folder: Path) -> None:
    home = folder / "spring"
    assert re.match(rf"[0-9.]+  {home} ", bring(mvn=COPYING_MVN, javac=JAVAC)["spring"])
    assert (home / "lib" / "spring.jar").exists()
    assert str(home) in bring()["spring"], "without Maven, what is there already is enough"
    (home / "pom.xml").write_text("an older one")
    assert bring(mvn=COPYING_MVN)["spring"].startswith("absent: needs javac")
    bring(mvn=COPYING_MVN, javac=JAVAC)
    assert (home / "pom.xml").read_bytes() == (ROOT / "tests" / "clients" / "spring" / "pom.xml").read_bytes()


@pytest.mark.parametrize(
    ("programs", "part", "said"),
    [
        ({}, "opa", "absent: needs go, which is not on PATH"),
        ({"go": OLD_GO}, "opa", "absent: needs go 1.21 or newer, "),
        ({"go": BROKEN_GO}, "opa", "failed with 1: no such module"),
        ({}, "oidc-provider", "absent: needs node, which is not on PATH"),
        ({"node": NODE}, "oidc-provider", "absent: needs npm, which is not on PATH"),
        ({"node": "echo v18.20.4", "npm": NPM}, "oidc-provider", "absent: needs node 20 or newer, "),
        ({"npm": BROKEN_NPM, "node": NODE}, "oidc-provider", "failed with 7: it said nothing"),
        ({}, "curl", "absent: needs curl, which is not on PATH"),
        ({}, "keycloak", "absent: needs mvn, which is not on PATH"),
        ({"mvn": MVN}, "keycloak", "absent: needs java, which is not on PATH"),
        ({"mvn": MVN, "java": "echo openjdk 11.0.2"}, "keycloak", "absent: needs java 17 or newer, "),
        ({}, "externalaccount", "absent: needs go, which is not on PATH"),
        ({"go": BROKEN_GO}, "externalaccount", "failed with 1: it said nothing"),
        ({}, "kube-apiserver", "absent: needs go, which is not on PATH"),
        ({"go": BROKEN_GO}, "kube-apiserver", "failed with 1: it said nothing"),
        ({}, "spring", "absent: needs mvn, which is not on PATH"),
        ({"mvn": MVN}, "spring", "absent: needs javac, which is not on PATH"),
        ({"mvn": "test $1 = --version && echo 3.8.7", "javac": JAVAC}, "spring", "failed with 1: it said nothing"),
        ({"mvn": "test $1 = --version && echo 3.8.7", "java": JAVA}, "keycloak", "failed with 1: it said nothing"),
    ],
)
def test_what_cannot_be_had_is_said_and_leaves_nothing_half_done(
    bring: Bring, folder: Path, programs: dict[str, str], part: str, said: str
) -> None:
    assert said in bring(**programs)[part]
    assert list(folder.rglob("*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install Debian's packages")
def test_debian_is_not_asked_to_install_what_would_be_too_old(bring: Bring, tmp_path: Path) -> None:
    said = bring(**{"apt-get": APT_GET, "apt-cache": APT_CACHE})
    assert said["opa"].startswith("absent: needs golang-go 1.21 or newer, Debian has 1.19")
    asked = (tmp_path / "asked").read_text()
    assert "update -q" in asked
    assert "golang-go" not in asked


def test_the_lock_of_npm_names_no_registry_and_pins_exactly() -> None:
    manifest = json.loads((HERE / "package.json").read_text())
    lock = json.loads((HERE / "package-lock.json").read_text())
    assert lock["packages"][""]["dependencies"] == manifest["dependencies"]
    assert all(version[0].isdigit() for version in manifest["dependencies"].values())
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages)


def _locked() -> dict[str, list[Requirement]]:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and not line.startswith(" ")]
    pins = [Requirement(line.removesuffix("\\")) for line in lines]
    return {pin.name: [other for other in pins if other.name == pin.name] for pin in pins}


def test_the_lock_of_python_pins_all_that_any_distribution_needs() -> None:
    printed = subprocess.run([sys.executable, HERE / "requirements.py"], capture_output=True, text=True, check=True).stdout
    locked = _locked()
    for need in map(Requirement, printed.splitlines()):
        pins = locked.get(canonicalize_name(need.name))
        assert pins, f"{need.name} is not locked: make lock"
        versions = [spec.version for pin in pins for spec in pin.specifier]
        assert all(version in need.specifier for version in versions), f"{need} is not met by {versions}: make lock"


def test_the_lock_of_python_has_only_hashed_pins_and_none_of_our_own() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert not [name for name in _locked() if name.startswith("cambist")]
    for entry in text.replace("\\\n", " ").splitlines():
        assert "==" in entry
        assert "--hash=sha256:" in entry


def test_what_the_workspace_needs_is_read_from_its_distributions(tmp_path: Path) -> None:
    (tmp_path / "tests" / "tools").mkdir(parents=True)
    (tmp_path / "tests" / "tools" / "requirements.py").write_bytes((HERE / "requirements.py").read_bytes())
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\ndev = ["pytest>=9"]\n')
    for folder, needs in {"core": '["a>=1"]', "plugins/x": '["cambist>=1,<2", "b[c]>=2"]'}.items():
        (tmp_path / folder).mkdir(parents=True)
        document = f'[project]\nname = "n"\ndependencies = {needs}\n[project.optional-dependencies]\nweb = ["q", "cambist-x"]\n'
        tomllib.loads(document)
        (tmp_path / folder / "pyproject.toml").write_text(document)
    printed = subprocess.run([sys.executable, tmp_path / "tests/tools/requirements.py"], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["a>=1", "b[c]>=2", "pytest>=9", "q"]
