"""npm's oidc-provider, set up to do the same exchange, in as many processes as we have workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from habits.parts import program, tools
from habits.running import free_port, running
from joserfc.jwk import ECKey

from .load import Load
from .work import GRANT, ISSUER, JWT, TARGET, Work

SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
CLIENT = "bench"


def is_here() -> bool:
    return (tools() / "npm/node_modules/oidc-provider/package.json").is_file()


@contextmanager
def oidc_provider(work: Work, folder: Path, processes: int) -> Iterator[tuple[Load, list[int]]]:
    """The load for it, and the process ids of its workers."""
    port = free_port()
    url, file = f"http://127.0.0.1:{port}", folder / "oidc-provider.json"
    signing = ECKey.generate_key("P-256", {"kid": "s", "alg": "ES256", "use": "sig"}).as_dict(private=True)
    told = {
        "issuer": ISSUER,
        "audience": url,
        "jwk": work.ec.as_dict(private=False),
        "signing": signing,
        "client_id": CLIENT,
        "target": TARGET,
    }
    file.write_text(json.dumps(told))
    package = tools() / "npm/node_modules/oidc-provider"
    command = [program("node"), SCRIPT, package, str(port), str(processes), file]
    asked = {"grant_type": GRANT, "client_id": CLIENT, "subject_token_type": JWT, "audience": TARGET, "scope": "read"}
    form = urlencode({**asked, "subject_token": work.token(aud=url)}).encode()
    with running(command, f"{url}/.well-known/openid-configuration", folder / "oidc-provider.log") as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Load(url, "/token", form, "application/x-www-form-urlencoded"), [int(pid) for pid in children]
