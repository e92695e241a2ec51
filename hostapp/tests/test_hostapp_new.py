"""`cambist plugin new` writes a plugin that is tested, clean and can be enabled, and that is `acme` under another name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from habits.pages import shell
from habits.workspace import ROOT

from cambist_hostapp.cli import main
from cambist_hostapp.new import LONGEST, TEMPLATE

ACME = ROOT / "plugins-contrib" / "acme"
FILES = {"README.md", "pyproject.toml", "src/cambist_harbour/__init__.py", "src/cambist_harbour/py.typed", "tests/test_harbour_contract.py"}
ENABLED = """
issuer = "https://sts.example.test"
[plugins.opa-wasm]
[plugins.harbour-pass]
secret = "a secret of the test's own, and long enough"
"""


def new(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plugin", "new", *map(str, arguments)], catch_exceptions=False)


def written(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text("utf-8") for file in folder.rglob("*") if file.is_file()}


@pytest.mark.row("P-vendor")
def test_a_new_plugin_passes_its_tests_and_opens_in_a_service(tmp_path: Path) -> None:
    (tmp_path / "cambist.toml").write_text(ENABLED)
    wrote = shell(tmp_path).ran(
        """
        cambist plugin new harbour-pass > next
        eval "$(sed -n '/^Next/,$ s/^  //p' next)"
        ruff check . && ruff format --check .
        cd .. && cambist plugins && cambist check
        """
    )
    assert " passed" in wrote
    assert "failed" not in wrote
    assert "All checks passed!" in wrote
    assert "✓ harbour-pass" in wrote
    assert any(line.split() == ["harbour-pass", "cambist-harbour-pass", "1.0.0", "enabled"] for line in wrote.splitlines())


@pytest.mark.parametrize("name", ["harbour", "my-own-token2", "n" * LONGEST])
@pytest.mark.parametrize("configured", [[], ["--config", str(ROOT / "pyproject.toml")]], ids=["alone", "here"])
def test_a_new_plugin_is_clean_whatever_its_name(name: str, configured: list[str], tmp_path: Path) -> None:
    assert new(name, "--folder", tmp_path / "made").exit_code == 0
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *configured, "."],
            cwd=tmp_path / "made",
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_acme_is_left_in_a_new_plugin(tmp_path: Path) -> None:
    found = json.loads(new("harbour", "--folder", tmp_path / "made", "--json").output)
    texts = written(tmp_path / "made")
    assert found == {"distribution": "cambist-harbour", "folder": str(tmp_path / "made"), "files": sorted(FILES)}
    assert set(texts) == FILES
    assert "acme" not in json.dumps(texts).lower()


def test_a_name_of_several_words_is_spelt_as_each_place_needs_it(tmp_path: Path) -> None:
    new("harbour-pass", "--folder", tmp_path / "made")
    texts = written(tmp_path / "made")
    project = tomllib.loads(texts["pyproject.toml"])["project"]
    assert (project["name"], project["entry-points"]) == ("cambist-harbour-pass", {"cambist": {"harbour-pass": "cambist_harbour_pass"}})
    assert 'BADGE = "urn:harbour-pass:token-type:badge"' in texts["src/cambist_harbour_pass/__init__.py"]
    assert "from cambist_harbour_pass import" in texts["tests/test_harbour_pass_contract.py"]
    assert 'secret = { env = "HARBOUR_PASS_BADGE_SECRET" }' in texts["README.md"]
    assert "accepts Harbour-pass badges" in texts["README.md"]


def test_within_a_workspace_tools_are_configured_by_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    new("harbour", "--folder", tmp_path / "within")
    assert set(tomllib.loads(written(tmp_path / "within")["pyproject.toml"])["tool"]) == {"hatch"}


def test_it_is_written_beside_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = new("harbour").output
    assert set(written(tmp_path / "cambist-harbour")) == FILES
    assert "written: cambist-harbour/src/cambist_harbour/__init__.py" in shown
    assert "  cd cambist-harbour\n" in shown


@pytest.mark.parametrize("name", ["Harbour", "9x", "a--b", "-a", "a-", "", "a b", "a_b", "../a", "a/b", "é", "a\n", "n" * (LONGEST + 1)])
def test_a_name_that_cannot_be_one_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    found = new("--folder", tmp_path / "made", "--", name)
    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1].startswith("Error: a plugin's name is small letters and digits")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["jwt", "acme", "hostapp"])
def test_the_name_of_what_is_installed_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    found = new(name, "--folder", tmp_path / "made")
    assert (found.exit_code, found.stderr.splitlines()[-1]) == (2, f"Error: cambist-{name} 1.0.0 is installed already: choose another name")
    assert not (tmp_path / "made").exists()


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "README.md").write_text("mine")
    found = new("harbour", "--folder", tmp_path / "made")
    assert found.exit_code == 3
    assert found.stderr == f"{tmp_path / 'made'} is there already: nothing was written; choose another --folder\n"
    assert written(tmp_path / "made") == {"README.md": "mine"}


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = new("harbour", "--folder", tmp_path / "file" / "made")
    assert found.exit_code == 3
    assert found.stderr.startswith(f"{tmp_path / 'file' / 'made'} cannot be written: ")


# ── one source ──────────────────────────────────────────────────────────────────────────────────────────


def _built(kind: str, folder: Path, into: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(into)]
    subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=60)
    (found,) = [*into.glob("*.whl"), *into.glob("*.tar.gz")]
    return found


def _wheel(tmp_path: Path, source: str) -> Path:
    """The wheel of the host application: from this tree, or from its source distribution, as an index would have it."""
    folder = ROOT / "hostapp"
    if source == "sdist":
        with tarfile.open(_built("sdist", folder, tmp_path / "sdist")) as archive:
            archive.extractall(tmp_path / "unpacked", filter="data")
        (folder,) = (tmp_path / "unpacked").iterdir()
    return _built("wheel", folder, tmp_path / "wheel")


@pytest.mark.parametrize("source", ["tree", "sdist"])
def test_the_template_in_a_wheel_is_acme_itself_and_works_from_there(source: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(_wheel(tmp_path, source)) as archive:
        archive.extractall(tmp_path / "installed")
    template = tmp_path / "installed" / "cambist_hostapp" / "template"
    assert {name: (template / name).read_bytes() for name in TEMPLATE} == {n: (ACME / f).read_bytes() for n, f in TEMPLATE.items()}
    assert not any((template / name).is_symlink() for name in TEMPLATE)
    subprocess.run(
        [sys.executable, "-m", "cambist_hostapp", "plugin", "new", "harbour"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert set(written(tmp_path / "cambist-harbour")) == FILES
