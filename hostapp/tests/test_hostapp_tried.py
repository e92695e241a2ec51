"""Keys in the settings, in a real service: the check judges all of them, and workers read the ones that credentials name."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from cambist import DidNotStart
from cambist.testing import Forge, serve
from cambist.token_type import JWT

STS, API = "https://sts.example.test", "https://api.example.test"
MANY = 60


def forges() -> list[Forge]:
    return [Forge(f"https://issuer-{number}.example.test", STS, time.time) for number in range(MANY)]


def settings(folder: Path, trusted: list[Forge], **jwks: Any) -> dict[str, Any]:
    """A service that trusts them, one of them by other keys where `jwks` says so: `issuer_7=…`."""
    grants = {forge.issuer: {"workload-1": {API: {"scopes": ["read"]}}} for forge in trusted}
    (folder / "data.json").write_text(json.dumps({"cambist": {"zones": {"default": {"grants": grants}}}}))
    issuers = [{"issuer": one.issuer, "jwks": jwks.get(f"issuer_{number}", one.jwks)} for number, one in enumerate(trusted)]
    plugins = {
        "jwt": {"issuers": issuers},
        "opa-wasm": {"data": str(folder / "data.json")},
        "keys-file": {"directory": str(folder / "keys"), "kek": "4b" * 32},
        "sqlite": {"path": str(folder / "cambist.sqlite")},
    }
    return {"issuer": STS, "authenticates": [JWT], "plugins": plugins}


def private(forge: Forge) -> dict[str, Any]:
    return {"keys": [{**forge.key.as_dict(private=True), "kid": forge.kid}]}


def ask(url: str, token: str) -> tuple[int, str]:
    """The status and the reason of an exchange, over a connection of its own, so that each may meet another worker."""
    body = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token, "subject_token_type": JWT}
    answer = httpx.post(f"{url}/v1/exchange/token", json={**body, "audience": API, "scope": "read"}, trust_env=False, timeout=10)
    return answer.status_code, answer.json().get("reason", "")


def until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):  # the supervisor buries them
        assert time.monotonic() < deadline, "the old workers do not end"
        time.sleep(0.01)


def test_one_unsound_key_among_many_keeps_a_service_from_opening_and_is_told_with_its_issuer(tmp_path: Path) -> None:
    trusted = forges()
    with pytest.raises(DidNotStart) as caught, serve(settings(tmp_path, trusted, issuer_41=private(trusted[41])), workers=2):
        pass
    told = [problem for problem in caught.value.problems if "plugins.jwt" in problem]
    why = f"what: the keys of {trusted[41].issuer}; cause: k1: its private half is public, so it proves nothing"
    assert len(told) == 1
    assert told[0].endswith(why)
    assert str(trusted[41].key.as_dict(private=True)["d"]) not in str(caught.value)
    assert caught.value.problems[-1] == "the supervisor ended with code 3"


def test_every_worker_judges_by_the_keys_of_the_settings_that_were_checked_last(tmp_path: Path) -> None:
    trusted = forges()
    token = trusted[5].jwt()
    with serve(settings(tmp_path, trusted), workers=2) as service:
        assert {ask(service.url, trusted[number].jwt())[0] for number in (0, 5, MANY - 1) for _ in range(6)} == {200}
        assert ask(service.url, Forge(trusted[5].issuer, STS, time.time).jwt())[0] == 400

        assert not service.reload(settings(tmp_path, trusted, issuer_41=private(trusted[41])), 30)
        assert f"the keys of {trusted[41].issuer}" in service.log
        assert {ask(service.url, token)[0] for _ in range(8)} == {200}  # the old ones serve on

        renewed, old = Forge(trusted[5].issuer, STS, time.time), service.pids
        assert service.reload(settings(tmp_path, trusted, issuer_5=renewed.jwks), 30)
        until_gone(*old)  # until then they finish what they accepted, with the settings that they have
        assert {ask(service.url, renewed.jwt())[0] for _ in range(8)} == {200}
        assert {ask(service.url, token) for _ in range(8)} == {(400, "signature_invalid")}

        service.kill(0)
        service.ready()
        assert {ask(service.url, token)[0] for _ in range(8)} == {400}


TELLING = """
import os
from cambist import Unavailable, hookimpl
from cambist.jwks import InlineKeys

@hookimpl
def cambist_validators(host):
    try:
        host.jwts.stated("anybody", InlineKeys({"keys": []}))
        said = b"later "
    except Unavailable:
        said = b"now "
    told = os.open(os.environ["TOLD"], os.O_WRONLY | os.O_APPEND)
    os.write(told, said)
    os.close(told)
    return ()
"""
"""A plugin that tells, wherever it is asked for its validators, when keys in the settings are judged there."""


def test_only_the_check_judges_keys_that_no_credential_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "eager.py").write_text(TELLING)
    (told := tmp_path / "told").touch()
    monkeypatch.setenv("TOLD", str(told))
    monkeypatch.syspath_prepend(str(tmp_path))
    with serve(settings(tmp_path, forges()[:1]), workers=2, modules={"eager": "eager"}) as service:
        assert told.read_text().split() == ["now", "later", "later"]
        service.kill(1)
        service.ready()
        assert told.read_text().split() == ["now", "later", "later", "later"]
        assert service.reload()
        assert told.read_text().split()[4:] == ["now", "later", "later"]
