"""What the pages show works: the tutorial is run as it stands, and every TOML block of a how-to is a settings file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from habits.running import free_port

from cambist.settings import parse

DOCS = Path(__file__).parents[2] / "docs"


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_first_exchange_goes_as_the_tutorial_says(tmp_path: Path, curl: Path) -> None:
    # As it stands, but for the ports, which may be taken here, and for job control, which a script does not have.
    script = "\n".join(_blocks(DOCS / "tutorial" / "first-exchange.md", "sh"))
    ours, theirs = str(free_port()), str(free_port())
    script = script.replace("8693", ours).replace("8692", theirs).replace("kill %1", "kill $!")
    script = script.replace("cambist dev ", f"cambist dev --port {ours} --issuer-port {theirs} ")
    script = script.replace("cambist exchange ", f"cambist exchange --url http://localhost:{ours} ")
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}:{curl.parent}:{os.environ['PATH']}"}
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-e", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "shop.log").read_text("utf-8")
    assert '"token_type":"Bearer"' in done.stdout
    assert "target_denied" in (tmp_path / "refusal.json").read_text("utf-8")
    assert "aud        https://billing.example.com" in done.stdout


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_the_settings_that_a_how_to_shows_are_settings(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_KEK", "4b" * 32)
    hash_file = "/etc/cambist/checkout.hash"
    for block in _blocks(page, "toml"):
        text = block.replace(f'{{ file = "{hash_file}" }}', '"$argon2id$"')
        if "resources." in text and "applications." not in text:
            text += '[applications.reports]\nsecret_hash = "$argon2id$"\n'
        parse({"issuer": "https://sts.example.com", **tomllib.loads(text)})
