"""The vendor's tutorial goes as its page says, from an empty folder to an exchange."""

from __future__ import annotations

from pathlib import Path

import pytest
from habits.pages import blocks, shell
from habits.running import free_port
from habits.workspace import ROOT

PAGE = ROOT / "docs" / "tutorial" / "your-own-token-type.md"


@pytest.mark.row("P-vendor")
def test_a_token_type_is_written_tested_and_exchanged_as_the_tutorial_says(tmp_path: Path, curl: Path) -> None:
    # As it stands, but for the ports, which may be taken here, and for job control, which a script does not have.
    script = "\n".join(blocks(PAGE, "sh")).replace("kill %1", "kill $!")
    ours, theirs = str(free_port()), str(free_port())
    script = script.replace("8693", ours).replace("cambist dev ", f"cambist dev --port {ours} --issuer-port {theirs} ")
    script = script.replace("cambist exchange ", f"cambist exchange --url http://localhost:{ours} ")
    wrote = shell(tmp_path).ran(script)
    (said,) = blocks(PAGE, "text")
    assert said.strip() in wrote
    assert wrote.count(" passed") == 2
    assert "✓ harbour" in wrote
    assert "/issuer/https_3a_2f_2fbadges.harbour.example/subject/ann" in wrote
    assert '"reason": "replayed"' in wrote
