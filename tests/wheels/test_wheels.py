"""Our wheels, installed where nothing of the workspace is, exchange a credential.

Nothing of ours comes from an index: third-party requirements are read from the wheels and installed by themselves, then the wheels, by
path and with no index at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import httpx
import pytest
from habits.running import free_port, running
from habits.workspace import ROOT, Distribution, distributions
from joserfc import jwt
from joserfc.jwk import KeySet
from packaging.requirements import Requirement

from cambist.testing import Forge
from cambist.token_type import JWT
from cambist.zone import TOKEN_EXCHANGE

pytestmark = pytest.mark.xdist_group("wheels")  # the environment is made once

AUDIENCE = "https://billing.example.test"
ISSUER = "https://issuer.example.test"


class Environment:
    """A virtual environment that has Python and what is installed into it, and sees nothing of the workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.python = folder, folder / "bin" / "python"
        self.ran(sys.executable, "-m", "venv", "--without-pip", folder)

    def pip(self, *words: object) -> str:
        return self.ran(sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check", *words)

    def ran(self, *words: object) -> str:
        """What a command wrote; a failure fails the test with it."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        done = subprocess.run(
            list(map(str, words)), cwd=self.folder.parent, env=clean, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A wheel of every distribution of the workspace, freshly built."""
    folder = tmp_path_factory.mktemp("dist")

    def build(distribution: Distribution) -> tuple[str, Path]:
        into = folder / distribution.name
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
        done = subprocess.run(command, cwd=distribution.folder, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        (wheel,) = into.glob("*.whl")
        return distribution.name, wheel

    with ThreadPoolExecutor(2) as at_once:
        return dict(at_once.map(build, distributions()))


def _metadata(wheel: Path) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def _third_party(wheels: Mapping[str, Path]) -> Iterator[str]:
    """What the wheels say they need, with all their extras, and without each other."""
    for wheel in wheels.values():
        metadata = _metadata(wheel)
        extras = ["", *(metadata.get_all("Provides-Extra") or [])]
        for need in map(Requirement, metadata.get_all("Requires-Dist") or []):
            if need.name not in wheels and (need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)):
                need.marker = None
                yield str(need)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheels: dict[str, Path]) -> Environment:
    """A bare environment into which pip installed all our wheels."""
    made = Environment(tmp_path_factory.mktemp("bare") / "venv")
    pins = [line.removesuffix("\\") for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines() if line[:1].isalnum()]
    constraints = made.folder.parent / "constraints.txt"
    constraints.write_text("\n".join(pins))
    made.pip("install", "-q", "-c", constraints, *sorted(set(_third_party(wheels))))
    made.pip("install", "-q", "--no-index", "--no-deps", *wheels.values())
    return made


@pytest.fixture(scope="module")
def pip(environment: Environment) -> Environment:
    """The part that this row is proved with: what pip made of the wheels, found complete by pip itself."""
    environment.pip("check")
    return environment


@pytest.mark.parametrize("distribution", distributions(), ids=str)
def test_a_wheel_holds_its_typed_package_and_nothing_else(distribution: Distribution, wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels[distribution.name]) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {distribution.module, f"{distribution.module}-{distribution.project['version']}.dist-info"}
    assert f"{distribution.module}/py.typed" in names
    packed = {name for name in names if name.startswith(f"{distribution.module}/")}
    lying = {file.relative_to(distribution.folder / "src").as_posix() for file in distribution.package.rglob("*") if file.is_file()}
    assert packed == {name for name in lying if "__pycache__" not in name}


@pytest.mark.parametrize("distribution", distributions(), ids=str)
def test_a_wheel_says_what_it_is(distribution: Distribution, wheels: dict[str, Path]) -> None:
    metadata = _metadata(wheels[distribution.name])
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata.get_payload().startswith("# ")


FOUND = """
import json
from importlib_metadata import entry_points
print(json.dumps({entry.name: entry.load().__file__ for entry in entry_points(group="cambist")}))
"""


@pytest.mark.row("P-install", real="pip")
def test_a_bare_environment_finds_every_plugin_by_its_entry_point(pip: Environment) -> None:
    found = json.loads(pip.ran(pip.python, "-I", "-c", FOUND))
    plugins = [distribution for distribution in distributions() if distribution.is_plugin]
    assert set(found) == {plugin.folder.name for plugin in plugins}
    assert all(Path(file).is_relative_to(pip.folder) for file in found.values())


# ── an exchange there ───────────────────────────────────────────────────────────────────────────────────

SETTINGS = """
issuer = "{url}"
authenticates = ["urn:ietf:params:oauth:token-type:jwt", "urn:cambist:token-type:api-key"]
[listen]
port = {port}
[[plugins.jwt.issuers]]
issuer = "https://issuer.example.test"
jwks_file = "{folder}/jwks.json"
[plugins.api-key]
pepper = "{secret}"
[plugins.opa-wasm]
data = "{folder}/grants.json"
[plugins.keys-file]
directory = "{folder}/keys"
kek = "{secret}"
[plugins.sqlite]
path = "{folder}/cambist.sqlite"
[plugins.audit-log]
directory = "{folder}/audit"
kek = "{secret}"
[plugins.acme]
secret = "{secret}"
"""


@contextmanager
def _served(environment: Environment, folder: Path, forge: Forge, url: str) -> Iterator[httpx.Client]:
    """`cambist serve` of the bare environment, with every plugin of ours at work."""
    settings = SETTINGS.format(url=url, port=httpx.URL(url).port, folder=folder, secret="4b" * 32)
    grants = {issuer: {"*": {AUDIENCE: {"scopes": ["*"]}}} for issuer in (ISSUER, f"{url}/api-keys/default")}
    (folder / "cambist.toml").write_text(settings)
    (folder / "jwks.json").write_text(json.dumps(forge.jwks))
    (folder / "grants.json").write_text(json.dumps({"cambist": {"zones": {"default": {"grants": grants}}}}))
    command = [environment.folder / "bin" / "cambist", "-c", folder / "cambist.toml", "serve"]
    with (
        running(command, f"{url}/ready", folder / "log", env={"PYTHONPATH": ""}),
        httpx.Client(base_url=url, trust_env=False, timeout=10) as http,
    ):
        yield http


def _exchanged(http: httpx.Client, token: str, token_type: str) -> Mapping[str, Any]:
    """The claims of the token that this credential is exchanged for, verified by a stock JOSE library against the published keys."""
    form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": token_type, "audience": AUDIENCE}
    answer = http.post("/oauth/2/token", data=form)
    assert answer.status_code == httpx.codes.OK, answer.text
    keys = KeySet.import_key_set(http.get("/.well-known/jwks.json").json())
    return jwt.decode(answer.json()["access_token"], keys, algorithms=["ES256"]).claims


@pytest.mark.row("P-install", real="pip")
def test_what_pip_installed_exchanges_credentials(pip: Environment, tmp_path: Path) -> None:
    url = f"http://localhost:{free_port()}"
    forge = Forge(ISSUER, url, time.time)
    with _served(pip, tmp_path, forge, url) as http:
        claims = _exchanged(http, forge.jwt(sub="checkout"), JWT)
        assert (claims["iss"], claims["aud"]) == (url, AUDIENCE)
        assert claims["sub"].endswith("/checkout")
        assert claims["exp"] - claims["iat"] <= 300
        made = pip.ran(pip.folder / "bin" / "cambist", "-c", tmp_path / "cambist.toml", "api-key", "create", "--owner", "shop", "--json")
        assert _exchanged(http, json.loads(made)["key"], "urn:cambist:token-type:api-key")["aud"] == AUDIENCE
    assert "checkout" in "".join(path.read_text() for path in (tmp_path / "audit").iterdir())
