"""The kit catches what vendors get wrong: ten faults, planted in copies of real plugins, each with the words that the vendor reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JWT, ACME = "plugins/jwt/src/cambist_jwt", "plugins-contrib/acme/src/cambist_acme"

JUDGING = {JWT: "validator.py", ACME: "__init__.py"}

VERIFY = "        verified = await self._jwts.verify(credential, self._expected)\n"
PROVEN = "        return verified.proven()\n"
IMPORTS = "from __future__ import annotations\n"


@dataclass(frozen=True)
class Fault:
    """A plugin, what is changed in its source (a text and what takes its place), and what the kit has to say."""

    plugin: str
    changes: tuple[tuple[str, str], ...]
    said: str


FAULTS = {
    "signature_skipped": Fault(
        JWT,
        (
            (IMPORTS, IMPORTS + "from cambist.compact import Compact\nfrom cambist.jwts import Verified\n"),
            (
                VERIFY,
                "        compact = Compact.parse(credential.token)\n"
                "        verified = Verified(compact.claims, self._expected[compact.issuer])\n",
            ),
        ),
        "a changed credential was accepted",
    ),
    "expiry_ignored": Fault(
        JWT,
        (
            (IMPORTS, IMPORTS + "from dataclasses import replace\n"),
            ("entry.expected(jwts, *entry.types)", "replace(entry.expected(jwts, *entry.types), grace=1e9)"),
            (PROVEN, "        return verified.proven(expires_at=float('inf'))\n"),
        ),
        "expired (RFC 7519 section 4.1.4)",
    ),
    "audience_ignored": Fault(
        JWT, ((PROVEN, "        return verified.proven(audience=None)\n"),), "for somebody else (RFC 7519 section 4.1.3)"
    ),
    "issuer_matched_by_prefix": Fault(
        JWT,
        (
            (IMPORTS, IMPORTS + "from dataclasses import replace\n"),
            ("        self.issuers = frozenset(self._entries)\n", "        self.issuers = None\n"),
            ("        return unverified.issuer in self._entries\n", "        return True\n"),
            (
                VERIFY,
                "        issuer = str(credential.unverified().issuer)\n"
                "        if (known := next((name for name in self._entries if issuer.startswith(name)), None)) is not None:\n"
                "            self._entries[issuer] = self._entries[known]\n"
                "            self._expected[issuer] = replace(self._expected[known], issuer=issuer)\n" + VERIFY,
            ),
        ),
        "of an issuer whose name begins like the trusted one's",
    ),
    "algorithm_taken_from_the_token": Fault(
        JWT,
        (
            (
                IMPORTS,
                IMPORTS + "import hmac\nfrom joserfc.jwk import ECKey\nfrom cambist.compact import Compact, base64url\n"
                "from cambist.jwts import Verified\n",
            ),
            (
                VERIFY,
                "        head, body, signature = credential.token.split('.')\n"
                "        compact = Compact.parse(credential.token)\n"
                "        jwks = self._entries[compact.issuer].jwks\n"
                "        public = ECKey.import_key(jwks['keys'][0]).as_pem(private=False)\n"
                "        mac = hmac.digest(public, f'{head}.{body}'.encode(), 'sha256')\n"
                "        if compact.header.get('alg') == 'HS256' and mac == base64url(signature):\n"
                "            verified = Verified(compact.claims, self._expected[compact.issuer])\n"
                "        else:\n"
                "    " + VERIFY,
            ),
        ),
        "signed with the public key as an HMAC secret",
    ),
    "kid_used_as_a_path": Fault(
        JWT,
        (
            (IMPORTS, IMPORTS + "import json, os\nfrom dataclasses import replace\nfrom cambist.jwks import inline\n"),
            (
                VERIFY,
                "        unverified = credential.unverified()\n"
                "        expected, kid = self._expected[unverified.issuer], str(unverified.header.get('kid'))\n"
                "        if os.path.exists(kid):\n"
                "            key = {**json.load(open(kid)), 'kid': kid}\n"
                "            expected = replace(expected, keys=inline(unverified.issuer, {'keys': [key]}))\n"
                "        verified = await self._jwts.verify(credential.token, expected)\n",
            ),
        ),
        "whose kid is a path",
    ),
    "comparison_that_raises": Fault(
        ACME,
        (
            (r"\.([0-9a-f]{64})", r"\.(.+)"),
            (
                "hmac.compare_digest(sealed.encode(), seal(self.settings.secret, signed).encode())",
                "hmac.compare_digest(sealed, seal(self.settings.secret, signed))",
            ),
        ),
        "raise cambist.Rejected for a bad credential, and nothing else",
    ),
    "single_use_without_an_id": Fault(
        ACME,
        (("expires_at=int(expiry))", "expires_at=int(expiry), single_use_until=int(expiry))"),),
        "a single-use credential without an id",
    ),
    "blocking_call": Fault(
        ACME,
        (("import hmac\n", "import hmac\nimport time\n"), ("        if (parts :=", "        time.sleep(0.2)\n        if (parts :=")),
        "put blocking work into asyncio.to_thread",
    ),
    "secret_in_repr": Fault(
        ACME,
        (("    def recognizes(", "    def __repr__(self) -> str:\n        return self.settings.secret.reveal()\n\n    def recognizes("),),
        "a secret is in its repr, log or error",
    ),
}

CONTRACTS = {
    JWT: """
from cambist import Credential, Role
from cambist.jwts import Jwts
from cambist.testing import Forge, ValidatorContract
from faulty.settings import JwtSettings
from faulty.validator import JwtValidator
import pytest


class TestFaulty(ValidatorContract):
    @pytest.fixture
    def forge(self, clock, audience):
        return Forge("https://issuer.example.test", audience, clock)

    @pytest.fixture
    def validator(self, forge, clock):
        return JwtValidator(JwtSettings(issuers=[{"issuer": forge.issuer, "jwks": forge.jwks}]), Jwts(None, clock))

    @pytest.fixture
    def good(self, forge):
        return Credential(token=forge.jwt(), token_type="urn:ietf:params:oauth:token-type:jwt", role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, forge, tmp_path):
        return forge.wrong(tmp_path)
""",
    ACME: """
from cambist import Credential, Role, Secret
from cambist.testing import ValidatorContract
from faulty import BADGE, BadgeSettings, BadgeValidator, seal
import pytest

SECRET = "the secret that badges are sealed with"


class TestFaulty(ValidatorContract):
    @pytest.fixture
    def secrets(self):
        return [SECRET]

    @pytest.fixture
    def validator(self):
        return BadgeValidator(BadgeSettings(secret=SECRET))

    @pytest.fixture
    def good(self, clock):
        signed = f"acme.ann.{int(clock()) + 60}"
        return Credential(token=f"{signed}.{seal(Secret(SECRET), signed)}", token_type=BADGE, role=Role.SUBJECT)
""",
}


def _verdict(folder: Path, plugin: str, changes: tuple[tuple[str, str], ...]) -> subprocess.CompletedProcess[str]:
    """What the kit says of a copy of a plugin with these changes."""
    shutil.copytree(ROOT / plugin, folder / "faulty")
    for old, new in changes:
        source = (folder / "faulty" / JUDGING[plugin]).read_text("utf-8")
        assert old in source, f"the fault cannot be planted any more: {old!r} is not in {plugin}"
        (folder / "faulty" / JUDGING[plugin]).write_text(source.replace(old, new, 1), "utf-8")
    (folder / "test_faulty.py").write_text(CONTRACTS[plugin], "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", "test_faulty.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    return subprocess.run(
        command, cwd=folder, env={**environment, "PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.row("P-vendor")
@pytest.mark.parametrize("name", FAULTS)
def test_the_kit_catches_a_planted_fault_and_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    verdict = _verdict(tmp_path, fault.plugin, fault.changes)
    assert verdict.returncode == 1, verdict.stdout + verdict.stderr
    assert fault.said in verdict.stdout, verdict.stdout


@pytest.mark.row("P-vendor")
@pytest.mark.parametrize("plugin", CONTRACTS, ids=["jwt", "acme"])
def test_the_kit_finds_nothing_in_the_plugins_as_they_are(plugin: str, tmp_path: Path) -> None:
    verdict = _verdict(tmp_path, plugin, ())
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
