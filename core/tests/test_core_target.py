"""For whom a token is asked: what is declared, or an absolute URI; never nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.caller import Caller
from cambist.errors import TargetInvalid, TargetMissing
from cambist.identity import Identity, Proven
from cambist.request import Dialect, ExchangeRequest
from cambist.target import Target, absolute_uri, targets
from cambist.zone import TOKEN_EXCHANGE, Application, Resource, Zone

DECLARED = Resource(scopes=("read",))
ZONE = Zone(resources={"orders": DECLARED, "https://api.test": Resource()})


def asked(*wanted: str, dialect: Dialect = Dialect.OAUTH) -> ExchangeRequest:
    return ExchangeRequest(dialect=dialect, grant_type=TOKEN_EXCHANGE, targets=wanted)


def proven(default_target: str | None = None) -> Proven:
    return Proven(identity=Identity(issuer="https://issuer.test", subject="ci"), expires_at=1, default_target=default_target)


SUBJECT = proven()


def application(default_target: str | None = None) -> Caller:
    return Caller(id="ci", proven=SUBJECT, method="m", application=Application(default_target=default_target))


@pytest.mark.row("J-audience")
@pytest.mark.row("F-resource")
def test_a_declared_target_is_taken_as_it_is_and_any_other_must_be_a_uri() -> None:
    """Decision 14, TX-08."""
    assert targets(ZONE, asked("orders", "https://other.test/x?y"), None, SUBJECT) == (
        Target(id="orders", resource=DECLARED),
        Target(id="https://other.test/x?y"),
    )
    with pytest.raises(TargetInvalid) as refused:
        targets(ZONE, asked("orders", "Orders"), None, SUBJECT)
    assert refused.value.seen == "Orders"


def test_identifiers_are_compared_letter_by_letter() -> None:
    found = targets(ZONE, asked("https://api.test/", "https://API.test"), None, SUBJECT)
    assert [target.resource for target in found] == [None, None]


@pytest.mark.parametrize(("dialect", "wanted"), [(Dialect.V1, "audience"), (Dialect.OAUTH, "resource or audience")])
@pytest.mark.row("J-audience")
def test_a_token_is_never_for_nobody(dialect: Dialect, wanted: str) -> None:
    """TX-12."""
    for caller in (None, application(None), application("")):
        with pytest.raises(TargetMissing) as refused:
            targets(ZONE, asked(dialect=dialect), caller, SUBJECT)
        assert refused.value.expected == wanted


def test_an_application_may_have_a_default_target() -> None:
    """Decision 8."""
    assert targets(ZONE, asked(), application("orders"), SUBJECT) == (Target(id="orders", resource=DECLARED),)
    assert targets(ZONE, asked("https://api.test"), application("orders"), SUBJECT)[0].id == "https://api.test"
    with pytest.raises(TargetInvalid):
        targets(ZONE, asked(), application("nothing of the kind"), SUBJECT)


def test_an_issuer_may_have_a_default_target_and_the_applications_goes_before_it() -> None:
    """Decision 8: openai's workload identity names no target, and no application either."""
    assert targets(ZONE, asked(), None, proven("orders")) == (Target(id="orders", resource=DECLARED),)
    assert targets(ZONE, asked(), application(), proven("orders"))[0].id == "orders"
    assert targets(ZONE, asked(), application("https://api.test"), proven("orders"))[0].id == "https://api.test"
    assert targets(ZONE, asked("https://api.test"), None, proven("orders"))[0].id == "https://api.test"
    with pytest.raises(TargetInvalid):
        targets(ZONE, asked(), None, proven("nothing of the kind"))


@pytest.mark.parametrize(
    "value",
    [
        "https://api.test",
        "https://api.test:8443/a/b?c=d",
        "http://localhost",
        "urn:example:api",
        "spiffe://prod.test/api",
        "api://0000-1111",
        "https://[::1]/",
        "https://xn--bcher-kva.test/%C3%A9",
    ],
)
def test_absolute_uris_are_targets(value: str) -> None:
    assert absolute_uri(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "api",
        "api.test",
        "/x",
        "//api.test/x",
        "?x",
        "https://api.test/#x",
        "https://api.test/#",
        "https:",
        "https://",
        "https:///x",
        "https:api",
        "http:x",
        "https://:443",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:/etc/passwd",
        "mailto:a@b.test",
        "urn:",
        "https://[::1",
        "https://api.test/ x",
        "https://api.test/<script>",
        "https://api.test/a\\b",
        'https://api.test/"',
        "https://api.test/é",
        "https://api.test/\u2028",
        "https://api.test/\x00",
        "1https://api.test",
        ":x",
    ],
)
@pytest.mark.row("F-resource")
def test_anything_else_is_not(value: str) -> None:
    """RFC 8707 section 2."""
    assert not absolute_uri(value)


@given(st.text())
def test_whatever_is_sent_it_is_judged(value: str) -> None:
    if absolute_uri(value):
        assert "#" not in value
        assert value.isascii()
        assert value.isprintable()
        assert " " not in value
