"""What was entrusted to the service leaves it by no door: not as a record, a log line, an error, a metric, nor a stored key."""

from __future__ import annotations

import base64
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cambist import Record
from cambist.client_secret import hash_secret
from cambist.testing import Running
from cambist.token_type import JWT
from cambist.zone import TOKEN_EXCHANGE

from .faults import NOTHING, RAISES, STEPS, Faults, faulty
from .stage import API, BADGE, FORGE, FRESH, applications, assertion, by, whole

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@cache
def hashed() -> tuple[str, str]:
    """A client secret and its hash: Argon2 is slow on purpose, so it is made once."""
    secret = f"canary-{secrets.token_hex(16)}"
    return secret, hash_secret(secret)


@dataclass
class Canaries:
    """Credentials for one request, and what must not be seen of them."""

    hidden: list[str] = field(default_factory=list)

    def keep(self, text: str) -> str:
        self.hidden.append(text)
        return text

    def jwt(self, token: str) -> str:
        """A JWT is as good as its signature is secret; its claims are for everybody to read."""
        self.keep(token.rsplit(".", 1)[1])
        return self.keep(token)

    def canary(self) -> str:
        return self.keep(f"canary-{secrets.token_hex(16)}")

    def subject(self, kind: str) -> dict[str, str]:
        if kind == "badge":
            return {"subject_token": f"badge:ann:{next(FRESH)}:{self.canary()}", "subject_token_type": BADGE}
        return {"subject_token": self.jwt(FORGE.jwt()) if kind == "jwt" else f"{self.canary()}.e30.{self.canary()}"}

    def client(self, kind: str) -> dict[str, str]:
        if kind == "secret":
            return {"client_id": "web", "client_secret": self.keep(hashed()[0])}
        if kind == "wrong secret":
            return {"client_id": "web", "client_secret": self.canary()}
        return {**by("clerk"), "client_assertion": self.jwt(assertion("clerk"))} if kind == "assertion" else {}

    def headers(self, kind: str) -> dict[str, str]:
        if kind == "basic":
            pair = f"web:{self.canary()}".encode()
            return {"authorization": f"Basic {self.keep(base64.b64encode(pair).decode())}"}
        name, text = {"bearer": ("authorization", "Bearer {}"), "dpop": ("dpop", "{}"), "cookie": ("cookie", "c={}")}.get(kind, ("", ""))
        return {name: text.format(self.canary())} if name else {}


@dataclass(frozen=True)
class Way:
    """How a request goes."""

    subject: str
    client: str
    header: str
    dialect: str
    spoilt: str
    faults: Faults


ways = st.builds(
    Way,
    subject=st.sampled_from(("badge", "jwt", "junk")),
    client=st.sampled_from(("none", "none", "secret", "wrong secret", "assertion")),
    header=st.sampled_from(("none", "none", "none", "basic", "bearer", "dpop", "cookie")),
    dialect=st.sampled_from(("json", "form")),
    spoilt=st.sampled_from(("not", "not", "not", "cut", "repeated", "type", "kind")),
    faults=st.builds(Faults, st.sampled_from((None, *STEPS)), st.sampled_from(list(RAISES.values()))),
)


async def sent(running: Running, way: Way, members: Mapping[str, str], headers: Mapping[str, str]) -> httpx.Response:
    """One request, as it is or spoilt."""
    path, kind = ("/v1/exchange/token", JSON) if way.dialect == "json" else ("/oauth/2/token", FORM)
    body = (json.dumps(members) if way.dialect == "json" else urlencode(members)).encode()
    if way.spoilt == "cut":
        body = body[:-2] if way.dialect == "json" else body + b"%"
    if way.spoilt == "repeated":
        body = body[:-1] + b"," + body[1:] if way.dialect == "json" else body + b"&" + body
    return await running.http.post(path, content=body, headers={"content-type": "text/plain" if way.spoilt == "kind" else kind, **headers})


def whole_of(record: Record) -> str:
    """Everything that an observer can write down of a record."""
    told = [repr(record), *(f"{step.name} {step.outcome!r} {step.outcome}" for step in record.trace.steps)]
    refusal = record.refusal
    if refusal is not None:
        told += [repr(part) for part in (refusal, refusal.facts, refusal.said, refusal.expected, refusal.seen)]
    return "\n".join(told)


async def everywhere(running: Running, answer: httpx.Response) -> str:
    """All that anybody but the caller who is served gets to see."""
    said = answer.text if answer.status_code != 200 else str({**answer.json(), "access_token": ""})
    pages = [(await running.http.get(path)).text for path in ("/metrics", "/metrics.json", "/ready")]
    stored = [str(pair) async for pair in running.sts.store.scan("")]
    return "\n".join([said, str(answer.headers), *map(whole_of, running.records), *pages, *stored])


@settings(whole, max_examples=40)
@given(way=ways)
@example(way=Way("badge", "none", "none", "json", "not", Faults("observe", ValueError)))
@example(way=Way("badge", "secret", "none", "form", "not", Faults("validate", ValueError)))
async def test_no_secret_is_in_any_record_log_error_or_metric(
    way: Way, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """I10: whether it is served or refused, and also where a plugin raises an error that says the credential."""
    caplog.clear()
    hiding = Canaries()
    members = {"grant_type": TOKEN_EXCHANGE, "subject_token_type": JWT, "audience": API}
    members |= {**hiding.subject(way.subject), **hiding.client(way.client)}
    members |= {"actor_token": hiding.canary()} if way.spoilt == "type" else {}
    headers = hiding.headers(way.header)
    faults = Faults(way.faults.step, way.faults.raises, NOTHING, told=" ".join(hiding.hidden))
    table = {"applications": {**applications(), "web": {"secret_hash": hashed()[1]}}}
    with caplog.at_level(logging.DEBUG):
        async with faulty(faults, **table) as running:
            answer = await sent(running, way, members, headers)
            assert len(running.records) == 1
            if answer.status_code == 200:
                token = answer.json()["access_token"]
                hiding.jwt(token)
            seen = await everywhere(running, answer)
    printed = capsys.readouterr()
    seen += f"{caplog.text}\n{printed.out}\n{printed.err}"
    assert [text for text in hiding.hidden if text in seen] == []
