"""What the pages show works: the tutorial is run as it stands, and every TOML block of a how-to is a settings file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import certifi
import pytest
from habits.pages import Shell, blocks
from habits.running import free_port

from cambist.settings import parse

DOCS = Path(__file__).parents[2] / "docs"


def test_the_first_exchange_goes_as_the_tutorial_says(tmp_path: Path, curl: Path) -> None:
    # As it stands, but for the ports, which may be taken here, and for job control, which a script does not have.
    script = "\n".join(blocks(DOCS / "tutorial" / "first-exchange.md", "sh"))
    ours, theirs = str(free_port()), str(free_port())
    script = script.replace("8693", ours).replace("8692", theirs).replace("kill %1", "kill $!")
    script = script.replace("cambist dev ", f"cambist dev --port {ours} --issuer-port {theirs} ")
    script = script.replace("cambist exchange ", f"cambist exchange --url http://localhost:{ours} ")
    wrote = Shell(tmp_path, curl.parent).ran(script)
    assert '"token_type":"Bearer"' in wrote
    assert "target_denied" in (tmp_path / "refusal.json").read_text("utf-8")
    assert "├── meant for     https://billing.example.com" in wrote


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_the_settings_that_a_how_to_shows_are_settings(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMBIST_KEK", "4b" * 32)
    monkeypatch.setenv("OPA_TOKEN", "t0ken")
    monkeypatch.setenv("CAMBIST_INTROSPECTION_SECRET", "s3cret")
    authority = "/etc/cambist/internal-ca.pem"
    of_cluster = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    for block in blocks(page, "toml"):
        text = re.sub(r'\{ file = "[^"]*\.hash" \}', '"$argon2id$"', block).replace(authority, certifi.where())
        text = re.sub(r'\{ file = "[^"]*kek[^"]*" \}', f'"{"4b" * 32}"', text)
        text = text.replace(of_cluster, certifi.where())
        if "resources." in text and "applications." not in text:
            text += '[applications.reports]\nsecret_hash = "$argon2id$"\n'
        parse({"issuer": "https://sts.example.com", **tomllib.loads(text)})
