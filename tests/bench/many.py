"""A service with much of one thing, and requests that use fifty of them, spread evenly."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from cambist.client_secret import hash_secret
from cambist.revocation import Kind, Revocation, Revocations
from cambist.settings import parse
from cambist.sts import Sts

from .work import ISSUER, TARGET, Work

ASKED = 50
SECRET = "much"
READ = {"scopes": ["read"]}
ANY: Mapping[str, Any] = {ISSUER: {"web": {}}}
"""What lets an application ask for the subject."""
Asked = Sequence[tuple[bytes, str]]
"""Bodies, each with what stands in `Authorization`."""
Zone = Mapping[str, Any]
"""What the data of the policy say of the zone."""


@dataclass(frozen=True)
class Many:
    """Settings, what is asked of the service that they make, and how many tokens are revoked in its store before it opens."""

    settings: Mapping[str, Any]
    asked: Asked
    revoked: int = 0

    async def revoke(self) -> None:
        async with Sts(parse(self.settings)).only_store() as store:
            revocations = Revocations(store)
            for number in range(self.revoked):
                token = (ISSUER, f"revoked-{number}")
                await revocations.revoke(Revocation(zone="default", kind=Kind.TOKEN, parts=token, at=time.time()))


def many(kind: str, size: int, folder: Path) -> Many:
    """One of KINDS."""
    work = Work("https://sts.example.test")
    settings = work.settings(folder)
    zone, asked = KINDS[kind](work, settings, size)
    (folder / "data.json").write_text(json.dumps({"cambist": {"zones": {"default": zone}}}))
    return Many(settings, asked, size if kind == "revocations" else 0)


def trusted(number: int, key: ECKey) -> dict[str, Any]:
    """An issuer as a table of settings, with its key in it."""
    return {"issuer": f"https://issuer-{number}.example.test", "jwks": {"keys": [key.as_dict(private=False)]}}


def key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "k", "alg": "ES256", "use": "sig"})


# ── each kind: it completes the settings, and says what the policy knows and what is asked ──────────────


def _issuers(work: Work, settings: dict[str, Any], size: int) -> tuple[Zone, Asked]:
    keys = [key() for _ in range(size)]
    tables = [trusted(number, one) for number, one in enumerate(keys)]
    settings["plugins"]["jwt"]["issuers"] = tables
    tokens = [replace(work, ec=keys[number]).token(iss=tables[number]["issuer"]) for number in _some(size)]
    grants = {table["issuer"]: {"web": {TARGET: READ}} for table in tables}
    return {"grants": grants}, [(work.body(subject_token=token), "") for token in tokens]


def _applications(work: Work, settings: dict[str, Any], size: int) -> tuple[Zone, Asked]:
    hashed = hash_secret(SECRET)
    names = [f"application-{number}" for number in range(size)]
    settings["applications"] = {name: {"secret_hash": hashed, "jwks": {"keys": [key().as_dict(private=False)]}} for name in names}
    clients = dict.fromkeys(names, ANY)
    body = work.body()
    return {"grants": _grants(TARGET), "clients": clients}, [(body, _basic(names[number])) for number in _some(size)]


def _resources(work: Work, settings: dict[str, Any], size: int) -> tuple[Zone, Asked]:
    """All of one owner, who asks: that is the most that there can be to look through."""
    names = [f"https://api-{number}.example.test" for number in range(size)]
    settings["applications"] = {"owner": {"secret_hash": hash_secret(SECRET)}}
    settings["resources"] = {name: {"scopes": ["read"], "owner": "owner"} for name in names}
    token = work.token()
    asked = [(work.body(subject_token=token, audience=names[number]), _basic("owner")) for number in _some(size)]
    return {"grants": _grants(*names), "clients": {"owner": ANY}}, asked


def _revocations(work: Work, settings: dict[str, Any], size: int) -> tuple[Zone, Asked]:
    """None of them is of what is asked with."""
    return {"grants": _grants(TARGET)}, [(work.body(subject_token=work.token(jti=f"j{number}")), "") for number in _some(size)]


KINDS: Mapping[str, Callable[[Work, dict[str, Any], int], tuple[Zone, Asked]]] = {
    "issuers": _issuers,
    "applications": _applications,
    "resources": _resources,
    "revocations": _revocations,
}


def _some(size: int) -> Sequence[int]:
    return range(0, size, max(1, size // ASKED))


def _grants(*targets: str) -> Zone:
    return {ISSUER: {"web": dict.fromkeys(targets, READ)}}


def _basic(name: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{SECRET}'.encode()).decode()}"
