"""The OpenAPI document is sound, is what the wire works by, and is what a served service answers, whatever it is asked."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks
from schemathesis.specs.openapi.definitions import OPENAPI_31

from cambist.client_assertion import JWT_BEARER
from cambist.client_secret import hash_secret
from cambist.testing import ISSUER, Forge, open_sts
from cambist.testing.serving import Served, serve
from cambist.token_type import ACCESS_TOKEN, JWT, PAGE
from cambist.web import endpoints
from cambist.web.metrics import Metrics
from cambist.web.openapi import document
from cambist.wire import codes, parameters, v1
from cambist.wire.call import Call
from cambist.wire.oauth import OAuth
from cambist.wire.reading import ABSENT_FEATURES
from cambist.wire.v1 import V1
from cambist.zone import CLIENT_CREDENTIALS, TOKEN_EXCHANGE

WHOLE = document(ISSUER)
EXAMPLES = int(os.environ.get("CAMBIST_OPENAPI_EXAMPLES", "12"))
"""Requests for each operation, each as the document has them and each not; `make test` has a minute for all."""
API = "https://api.example.test"
SECRET = "correct horse battery staple"


# ── the document by itself ──────────────────────────────────────────────────────────────────────────────


def test_it_is_sound_by_the_schema_of_openapi_itself() -> None:
    jsonschema.Draft202012Validator(OPENAPI_31).validate(WHOLE)


@pytest.mark.parametrize("name", WHOLE["components"]["schemas"])
def test_each_schema_of_it_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(WHOLE["components"]["schemas"][name])


async def test_it_has_every_path_that_is_served_and_no_other() -> None:
    async with open_sts({}) as running:
        assert sorted(WHOLE["paths"]) == sorted(endpoints.endpoints(running.sts, Metrics()))


async def test_it_is_served_as_it_is_and_may_be_kept() -> None:
    async with open_sts({}) as running:
        first = await running.http.get("/openapi.json")
        again = await running.http.get("/openapi.json", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, first.headers["content-type"], again.status_code) == (200, "application/json", 304)
    assert first.json() == WHOLE


async def test_it_says_nothing_of_an_installation_but_its_address() -> None:
    known = {"zones": {"secret-zone": {}}, "resources": {"secret-api": {}}, "public_url": "https://public.example.test/"}
    async with open_sts(known) as running:
        found = (await running.http.get("/openapi.json")).json()
    assert found == document("https://public.example.test")


class Heard(dict[str, Any]):
    """Parameters that keep which of them were asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


@pytest.mark.parametrize(("dialect", "schema"), [(OAuth({}), "FormRequest"), (V1({}), "JsonRequest")])
def test_its_members_are_those_that_the_wire_reads(dialect: Any, schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard({"grant_type": TOKEN_EXCHANGE, "subject_token": "x", "subject_token_type": JWT, "audience": API})
    monkeypatch.setattr("cambist.wire.reading.parameters", lambda kind, body: parameters.Parameters(heard))
    kind = parameters.FORM if schema == "FormRequest" else parameters.JSON
    dialect.read(Call(method="POST", path="/", headers=(("content-type", kind),)))
    for more in ({"client_secret": "s", "client_id": "c"}, {"client_assertion": "x", "client_assertion_type": JWT_BEARER}):
        heard.update(more)
        dialect.read(Call(method="POST", path="/", headers=(("content-type", kind),)))
        for name in more:
            del heard[name]
    described = set(WHOLE["components"]["schemas"][schema]["properties"])
    elsewhere = set() if schema == "JsonRequest" else {"execution_scope"}
    assert described == (heard.asked - elsewhere) | set(ABSENT_FEATURES)


@pytest.mark.parametrize(("path", "table"), [("/oauth/2/token", codes.TABLE), ("/v1/exchange/token", v1.TABLE)])
def test_its_refusals_are_those_of_the_tables(path: str, table: Any) -> None:
    responses = WHOLE["paths"][path]["post"]["responses"]
    told = {(str(row.status), row.error) for kind, row in table.items() if kind.reason not in ELSEWHERE}
    for status, error in told:
        assert error in responses[status]["content"]["application/json"]["schema"]["allOf"][1]["properties"]["error"]["enum"]
    for kind, row in table.items():
        if kind.reason not in ELSEWHERE:
            assert f"`{kind.reason}`" in responses[str(row.status)]["description"]


ELSEWHERE = {"refused", "path_unknown", "response_type_unsupported"}


def test_its_token_types_are_those_of_the_published_page() -> None:
    for schema in ("FormRequest", "JsonRequest"):
        named = WHOLE["components"]["schemas"][schema]["properties"]["subject_token_type"]["examples"]
        assert named[: len(PAGE)] == list(PAGE)


# ── and what a service answers ──────────────────────────────────────────────────────────────────────────

CHECKS: list[Callable[..., Any]] = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


@pytest.fixture(scope="module")
def forge() -> Forge:
    return Forge("https://issuer.example.test", ISSUER, time.time)


@pytest.fixture(scope="module")
def served(forge: Forge) -> Iterator[Served]:
    table = {
        "issuer": ISSUER,
        "authenticates": [JWT],
        "applications": {"ci": {"secret_hash": hash_secret(SECRET), "grants": [TOKEN_EXCHANGE, CLIENT_CREDENTIALS]}},
        "listen": {"limits": {"failures": 0}},
        "plugins": {"jwt": {"issuers": [{"issuer": forge.issuer, "jwks": forge.jwks}]}},
    }
    with serve(table, modules={"rules": "cambist.testing:AllowAll"}) as running:
        yield running


@pytest.fixture(scope="module")
def schema(served: Served) -> Any:
    """The document as it is served, but asked at the address where it is served here."""
    found = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    found.config.update(base_url=served.url)
    return found


def judged(case: Any, response: Any) -> None:
    """Every answer is one of the document's, and none tells of a fault; 501 is the one 5xx that input may cause (decision 9)."""
    case.validate_response(response, checks=CHECKS)
    assert response.status_code < 500 or response.status_code == 501, response.text
    if response.status_code == 501:
        assert response.json()["reason"] == "token_type_not_enabled"


LIES: list[tuple[str, Callable[[Any], Any]]] = [
    ("a status that it does not have", lambda whole: whole["paths"]["/oauth/2/token"]["post"]["responses"].pop("400")),
    ("another media type", lambda whole: renamed(whole["paths"]["/oauth/2/token"]["post"]["responses"]["400"]["content"], "text/html")),
    ("a member that it does not have", lambda whole: whole["components"]["schemas"]["Refusal"]["properties"].pop("reason")),
    ("an error that it does not have", lambda whole: told(whole)["allOf"][1]["properties"].update({"error": {"enum": ["nothing"]}})),
    ("a header that is not sent", lambda whole: told_headers(whole).update({"x-absent": {"required": True, "schema": {"type": "string"}}})),
]


def renamed(content: dict[str, Any], kind: str) -> None:
    content[kind] = content.pop("application/json")


def told_headers(whole: Any) -> Any:
    return whole["paths"]["/oauth/2/token"]["post"]["responses"]["400"]["headers"]


def told(whole: Any) -> Any:
    return whole["paths"]["/oauth/2/token"]["post"]["responses"]["400"]["content"]["application/json"]["schema"]


@pytest.mark.parametrize(("lie", "change"), LIES)
def test_an_answer_that_is_not_in_the_document_is_found(served: Served, lie: str, change: Callable[[Any], Any]) -> None:
    whole = json.loads(json.dumps(WHOLE))
    change(whole)
    wrong = schemathesis.openapi.from_dict(whole)
    wrong.config.update(base_url=served.url)
    case = wrong["/oauth/2/token"]["post"].Case(body={"grant_type": "x"}, media_type="application/x-www-form-urlencoded")
    with pytest.raises(FailureGroup):
        case.validate_response(case.call(), checks=CHECKS)


def operations() -> Iterator[tuple[str, str, Any]]:
    """Each as the document has it, and each that has something in it that could be wrong also otherwise."""
    for path, methods in WHOLE["paths"].items():
        for method, operation in methods.items():
            yield path, method, schemathesis.GenerationMode.POSITIVE
            if operation.keys() & {"requestBody", "parameters"}:
                yield path, method, schemathesis.GenerationMode.NEGATIVE


@pytest.mark.parametrize(("path", "method", "mode"), list(operations()))
def test_whatever_is_asked_the_answer_is_one_of_the_document(schema: Any, path: str, method: str, mode: Any) -> None:
    operation = schema[path][method]
    quiet = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large]
    tried = 0

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=quiet)
    @given(data=st.data())
    def try_each(data: st.DataObject) -> None:
        nonlocal tried
        case = data.draw(operation.as_strategy(generation_mode=mode))
        judged(case, case.call())
        tried += 1

    try_each()
    assert tried > 0


GOOD: list[tuple[str, dict[str, Any], int]] = [
    ("/oauth/2/token", {}, 200),
    ("/oauth/2/token", {"scope": "a b", "requested_token_type": ACCESS_TOKEN, "ttl_seconds": 60}, 200),
    ("/v1/exchange/token", {}, 200),
    ("/v1/exchange/token", {"execution_scope": {"htm": "GET", "htu": API, "nonce": "n"}}, 200),
    ("/oauth/2/token", {"client_id": "ci", "client_secret": "wrong"}, 401),
    ("/v1/exchange/token", {"client_id": "ci", "client_secret": "wrong"}, 403),
    ("/v1/exchange/token", {"subject_token_type": "urn:starfly:token-type:kerberos"}, 501),
    ("/oauth/2/token", {"subject_token_type": "urn:starfly:token-type:kerberos"}, 400),
    ("/oauth/2/token", {"scope": "a" * 70_000}, 413),
]


@pytest.mark.parametrize(("path", "more", "status"), GOOD)
def test_what_it_gives_and_refuses_on_purpose_is_in_the_document(
    schema: Any, forge: Forge, path: str, more: dict[str, Any], status: int
) -> None:
    kind = "application/x-www-form-urlencoded" if path == "/oauth/2/token" else "application/json"
    body = {"grant_type": TOKEN_EXCHANGE, "subject_token": forge.jwt(), "subject_token_type": JWT, "audience": API, **more}
    case = schema[path]["post"].Case(body=body, media_type=kind)
    response = case.call()
    assert response.status_code == status, response.text
    case.validate_response(response, checks=CHECKS)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
@pytest.mark.parametrize("path", list(WHOLE["paths"]))
def test_other_methods_are_refused_as_the_document_says(served: Served, path: str, method: str) -> None:
    answered = httpx.request(method, f"{served.url}{path}", trust_env=False)
    told = next(iter(WHOLE["paths"][path].values()))["responses"]["405"]
    assert answered.status_code == 405
    assert set(told["headers"]) <= set(answered.headers)
    assert answered.headers["allow"].split(", ")[0] == next(iter(WHOLE["paths"][path])).upper()
