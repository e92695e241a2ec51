"""What the operator may say of OPA, what is refused at once, and that the token goes to OPA and nowhere else."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydantic import ValidationError

from cambist import DidNotStart, Unavailable
from cambist.egress import Egress, EgressSettings
from cambist.testing import open_sts, question
from cambist_opa_rest.policy import OpaRestPolicy
from cambist_opa_rest.settings import OpaRestSettings
from cambist_opa_rest.testing import ScriptedOpa, said

TOKEN = "canary.Tok-en_~+/7=="


@pytest.mark.parametrize(
    "url", ["https://opa.example.test", "https://opa.example.test:8443/tenant/", "http://127.0.0.1:8181", "http://[::1]:1"]
)
def test_https_and_this_machine_are_asked(url: str) -> None:
    assert OpaRestSettings(url=url).url == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://opa.example.test", "only https is called, or http on this machine"),
        ("http://127.0.0.1.example.test", "only https is called"),
        ("ftp://127.0.0.1", "only https is called"),
        ("unix:///run/opa.sock", "without a host"),
        ("opa.example.test", "without a host"),
        ("https://user:pass@opa.example.test", "with a user in it"),
        ("https://opa.example.test/?pretty", "must not have a query"),
        ("https://opa.example.test/?", "must not have a query"),
        ("https://opa.example.test/#x", "must not have a query or a fragment"),
        ("https://opa.example.test:port", "cannot be read"),
        ("", "without a host"),
    ],
)
def test_a_url_that_cannot_be_called_is_refused_when_settings_are_read(url: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        OpaRestSettings(url=url)


@pytest.mark.parametrize(
    "entrypoint", ["", "/", "cambist//decision", "cambist/exchange/decision/", "../policies", "a/b?pretty", "a.b", "a/b\n", "é"]
)
def test_an_entry_point_is_names_with_slashes_between_them(entrypoint: str) -> None:
    with pytest.raises(ValidationError, match="entrypoint"):
        OpaRestSettings(url="https://opa.example.test", entrypoint=entrypoint)


@pytest.mark.parametrize("token", ["two words", "line\r\nx-injected: yes", "é", "====", "a=b", 'quo"te'])
def test_a_token_that_cannot_stand_in_a_header_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValidationError, match="no bearer token") as caught:
        OpaRestSettings.model_validate({"url": "https://opa.example.test", "token": token})
    assert token not in str(caught.value)


@pytest.mark.parametrize("changes", [{"deadline": 0}, {"deadline": 6}, {"deadline": float("nan")}, {"url": None}, {"tokn": "x"}])
async def test_other_mistakes_keep_the_service_shut(changes: dict[str, Any]) -> None:
    settings = {"url": "http://127.0.0.1:8181"} | changes
    with pytest.raises(DidNotStart, match=rf"plugins\.opa-rest\.{next(iter(changes))}"):
        async with open_sts({"plugins": {"opa-rest": settings}}):
            pytest.fail("it opened")


async def test_the_question_goes_to_the_entry_point_with_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedOpa(said({"allow": True})) as opa, Egress(EgressSettings()) as http:
        settings = OpaRestSettings.model_validate({"url": f"{opa.url}/tenant/", "entrypoint": "acme/decide", "token": TOKEN})
        policy = OpaRestPolicy(settings, http)
        await policy.decide(question())
        assert opa.heads[0].startswith("POST /tenant/v1/data/acme/decide?provenance=true HTTP/1.1\r\n")
        assert f"authorization: Bearer {TOKEN}\r\n" in opa.heads[0]
        assert opa.asked == [b'{"input":%b}' % question().encoded()]
        opa.play({"status": 401, "body": TOKEN})
        with pytest.raises(Unavailable) as caught:
            await policy.decide(question())
    for told in (repr(settings), str(settings), repr(caught.value), str(caught.value.facts), caplog.text):
        assert TOKEN not in told


async def test_without_a_token_none_is_sent() -> None:
    async with ScriptedOpa(said({"allow": True})) as opa, Egress(EgressSettings()) as http:
        await OpaRestPolicy(OpaRestSettings(url=opa.url), http).decide(question())
        assert "authorization" not in opa.heads[0].lower()
