"""One service with everything that lasts, that can be killed and started again on what it left behind; and who asks it."""

from __future__ import annotations

import json
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from habits.running import free_port

from cambist.client_assertion import JWT_BEARER
from cambist.testing import Forge, SharedClock, serve
from cambist.testing.serving import Served
from cambist.token_type import JWT
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

ISSUER, TARGET = "https://issuer.example.test", "https://api.example.test"
KEK = "4b" * 32
WORKERS = 2
LIFE = 3600
"""Seconds that a token of the forge lives: longer than what was found out about it is asked again."""
ONCE = 290
"""Seconds for which what is accepted once could be accepted."""
SWEEP = 0.2
"""Seconds between two sweeps of the store: what it forgets too early, it forgets before the trouble is over."""
LEAD = 3.0
"""Seconds from the making of a key until it signs: so short that a key takes over in every round that makes one."""
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Whom clients trust that speak plain HTTP. To read the system's certificates takes 20 ms, which whoever tries again and again takes
from the service that is being started."""


@dataclass
class Stage:
    """The service, its clock, and forges for those whom it trusts. `modules` are plugins that stand in for ours."""

    folder: Path
    workers: int = WORKERS
    server: Any = "hypercorn"
    modules: Mapping[str, str] = field(default_factory=dict)
    clock: SharedClock = field(default_factory=SharedClock.running)
    port: int = field(default_factory=free_port)
    served: Served | None = None
    _held: AbstractContextManager[Served] | None = None

    def __post_init__(self) -> None:
        self.url = f"http://localhost:{self.port}"
        self.forge = Forge(ISSUER, self.url, time.time)  # the subjects' issuer has a clock that nobody moves
        self.client = Forge("robot", self.url, time.time)
        targets = {TARGET: {"scopes": ["*"]}}
        grants = {ISSUER: {"*": targets}, self.url: {"*": targets}}
        (self.folder / "data.json").write_text(json.dumps({"cambist": {"zones": {"default": {"grants": grants}}}}))
        (self.folder / "cambist.toml").write_text(toml(self.settings))

    @property
    def settings(self) -> dict[str, Any]:
        robot = {"jwks": self.client.jwks, "grants": [CLIENT_CREDENTIALS, TOKEN_EXCHANGE], "algorithms": ["ES256"]}
        return {
            "issuer": self.url,
            "authenticates": [JWT],
            "applications": {"robot": robot},
            "jwks_max_age": 1,
            "execution_ttl": ONCE,
            "listen": {"port": self.port},
            "plugins": {
                "jwt": {"issuers": [{"issuer": ISSUER, "jwks": self.forge.jwks}]},
                "opa-wasm": {"data": str(self.folder / "data.json")},
                "keys-file": {"directory": str(self.folder / "keys"), "kek": KEK, "skew": LEAD - 1},
                "sqlite": {"path": str(self.store), "sweep": SWEEP},
                "audit-log": {"directory": str(self.folder / "ledger"), "kek": KEK},
            },
        }

    @property
    def store(self) -> Path:
        return self.folder / "store.sqlite"

    def start(self) -> None:
        """Start it, or start it again on what is there."""
        self.stop()
        self._held = serve(self.settings, clock=self.clock, workers=self.workers, server=self.server, modules=self.modules)
        self.served = self._held.__enter__()

    def stop(self) -> None:
        if self._held is not None:
            with suppress(ProcessLookupError):
                self._held.__exit__(None, None, None)
            self._held = self.served = None

    @property
    def running(self) -> Served:
        assert self.served is not None
        return self.served

    def command(self, *words: str) -> subprocess.Popen[str]:
        """`cambist …` with the settings of the service, as an operator types it: by the clock of the machine."""
        command = [sys.executable, "-m", "cambist_hostapp", "-c", str(self.folder / "cambist.toml"), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────

    def subject(self, **claims: Any) -> str:
        now = int(time.time())
        return self.forge.jwt(iat=now, exp=now + LIFE, jti=secrets.token_hex(8), **claims)

    def exchange(self, token: str) -> dict[str, Any]:
        """A request that can be repeated."""
        form = {"grant_type": TOKEN_EXCHANGE, "subject_token": token, "subject_token_type": JWT, "audience": TARGET}
        return {"url": f"{self.url}/oauth/2/token", "data": form}

    def once(self) -> dict[str, Any]:
        """A request that is accepted once: an assertion, with an id of its own."""
        now = int(time.time())
        assertion = self.client.jwt(iss="robot", sub="robot", aud=self.url, iat=now, exp=now + ONCE, jti=secrets.token_hex(8))
        form = {"grant_type": CLIENT_CREDENTIALS, "client_assertion": assertion, "client_assertion_type": JWT_BEARER, "resource": TARGET}
        return {"url": f"{self.url}/oauth/2/token", "data": form}

    def action(self) -> dict[str, Any]:
        """The same: a token for one HTTP request, by a nonce of its own."""
        action = {"htm": "GET", "htu": f"{TARGET}/x", "nonce": secrets.token_hex(8)}
        said = {"grant_type": TOKEN_EXCHANGE, "subject_token": self.subject(), "subject_token_type": JWT, "audience": TARGET}
        return {"url": f"{self.url}/v1/exchange/token", "json": {**said, "execution_scope": action}}


@contextmanager
def asking() -> Iterator[httpx.Client]:
    """An HTTP client of this machine, with connections of its own."""
    with httpx.Client(trust_env=False, timeout=10, verify=NOBODY) as http:
        yield http


def reason(answer: httpx.Response) -> str:
    """`permitted`, or the reason of the refusal."""
    return "permitted" if answer.status_code == httpx.codes.OK else str(answer.json().get("reason"))


def toml(table: Mapping[str, Any]) -> str:
    """Settings as a file. What JSON writes of texts and numbers is TOML, too."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_value(inner)}' for key, inner in value.items())} }}"
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list) else json.dumps(value)
