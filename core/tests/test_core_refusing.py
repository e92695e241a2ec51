"""How refusals are told: a row for each in both dialects, codes and statuses of the pages, and nothing of anybody else's."""

from __future__ import annotations

import pkgutil
import re
import unicodedata
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cambist
from cambist import errors as e
from cambist.credential import Role
from cambist.errors import ParameterInvalid, Refusal
from cambist.token_type import PAGE
from cambist.wire import codes, oauth, refusing, v1
from cambist.wire.call import Call, Reply

PAGE_CODES = {
    "invalid_request",
    "unsupported_grant_type",
    "access_denied",
    "server_error",
    "not_implemented",
    "not_found",
    "method_not_allowed",
}
JSON_STATUSES = {
    "invalid_request": {400, 408, 413, 431},
    "unsupported_grant_type": {400},
    "access_denied": {401, 403, 429},
    "server_error": {500, 503},
    "not_implemented": {501},
    "not_found": {404},
    "method_not_allowed": {405},
}
FORM_STATUSES = {
    "invalid_request": {400, 404, 405, 408, 413, 431},
    "invalid_client": {401},
    "unauthorized_client": {400},
    "unsupported_grant_type": {400},
    "unsupported_response_type": {400},
    "invalid_scope": {400},
    "invalid_target": {400},
    "access_denied": {400},
    "temporarily_unavailable": {429, 503},
    "server_error": {500},
}
CALL = Call(method="POST", path="/", request_id="r-1")
BASIC = Call(method="POST", path="/", request_id="r-1", headers=(("Authorization", "Basic x"),))
OAUTH, V1 = oauth.OAuth({}), v1.V1({})


def kinds() -> list[type[Refusal]]:
    for module in pkgutil.walk_packages(cambist.__path__, "cambist."):
        if not module.name.startswith("cambist.testing.contracts"):
            import_module(module.name)

    def below(kind: type[Refusal]) -> Iterator[type[Refusal]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    return [kind for kind in dict.fromkeys(below(Refusal)) if kind.__module__.partition(".")[0] == "cambist"]


KINDS = kinds()


def of(kind: type[Refusal], **more: Any) -> Refusal:
    refusal = kind("plugin", "cause") if issubclass(kind, e.PluginFault) else kind(**more)
    refusal.decision_id = "d-1"
    return refusal


def told(reply: Reply) -> dict[str, Any]:
    document = msgspec.json.decode(reply.body)
    assert isinstance(document, dict)
    return document


@pytest.mark.row("J-errors")
@pytest.mark.row("F-exchange")
@pytest.mark.parametrize("kind", KINDS)
def test_every_refusal_has_a_row_in_both_tables(kind: type[Refusal]) -> None:
    """Its own, not its parent's: to add a way to say no is to decide how it is told."""
    assert kind in codes.TABLE
    assert kind in v1.TABLE


def test_the_tables_have_no_rows_for_anything_else() -> None:
    assert set(codes.TABLE) == set(v1.TABLE) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_is_stable_unique_and_explained(kind: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.reason)
    assert [other for other in KINDS if other.reason == kind.reason] == [kind]
    assert kind.meaning().endswith(".") or kind.meaning().endswith(")")
    assert kind.hint
    assert kind.likely.endswith(".")
    assert "likely" in vars(kind), "what most often leads to it is not what leads to its parent"


@pytest.mark.row("J-errors")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("call", [CALL, BASIC])
def test_every_answer_has_a_code_and_a_status_of_its_dialect(kind: type[Refusal], role: Role | None, call: Call) -> None:
    refusal = of(kind)
    refusal.role = role
    for dialect, statuses in ((OAUTH, FORM_STATUSES), (V1, JSON_STATUSES)):
        reply = dialect.refuse(refusal, call)
        document, headers = told(reply), dict(reply.headers)
        assert reply.status in statuses[document["error"]]
        assert (document["reason"], document["decision_id"], document["request_id"]) == (kind.reason, "d-1", "r-1")
        assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]+", document["error_description"])
        assert headers["content-type"] == "application/json"
        assert (headers["cache-control"], headers["pragma"], headers["cambist-decision-id"]) == ("no-store", "no-cache", "d-1")
        assert (headers.get("www-authenticate") is not None) == (reply.status == 401)
        assert (headers.get("retry-after") is not None) == (reply.status in (429, 503))
        assert headers.get("allow") == ("POST" if reply.status == 405 else None)
    assert told(V1.refuse(refusal, call))["sts_error"] == told(OAUTH.refuse(refusal, call))["error"]


def test_the_codes_of_the_json_page_are_all_used_and_no_others() -> None:
    unknown = of(e.TokenTypeNotEnabled, seen=PAGE[0])
    used = {told(V1.refuse(refusal, CALL))["error"] for refusal in [*map(of, KINDS), unknown]}
    assert used == PAGE_CODES == set(JSON_STATUSES)


@pytest.mark.parametrize("kind", [e.Rejected, e.Expired, e.AudienceMismatch, e.Replayed, e.CredentialMalformed, e.IssuerNotTrusted])
def test_a_bad_proof_of_the_client_is_invalid_client_and_a_bad_subject_is_not(kind: type[Refusal]) -> None:
    """CA-14, TX-39."""
    refusal = of(kind)
    for role, form, by_body, by_header in ((Role.CLIENT, 401, 403, 401), (Role.SUBJECT, 400, 400, 400), (Role.ACTOR, 400, 400, 400)):
        refusal.role = role
        assert OAUTH.refuse(refusal, CALL).status == form
        assert (V1.refuse(refusal, CALL).status, V1.refuse(refusal, BASIC).status) == (by_body, by_header)


@pytest.mark.parametrize("kind", [e.Unavailable, e.PluginFault, e.Fault])
def test_what_is_not_the_clients_fault_is_not_told_as_such(kind: type[Refusal]) -> None:
    refusal = of(kind)
    refusal.role = Role.CLIENT
    assert OAUTH.refuse(refusal, CALL).status == V1.refuse(refusal, BASIC).status == (503 if kind is e.Unavailable else 500)


def test_a_refusal_of_a_plugin_is_told_as_its_nearest_ancestor() -> None:
    class BadBadge(e.SignatureInvalid):
        """The badge is not sealed."""

        reason = "badge_not_sealed"

    assert OAUTH.refuse(BadBadge(), CALL).status == V1.refuse(BadBadge(), CALL).status == 400
    assert told(OAUTH.refuse(BadBadge(), CALL))["reason"] == "badge_not_sealed"


def test_facts_are_for_the_ledger_and_never_for_the_caller() -> None:
    refusal = e.Unavailable(what="redis://10.0.0.7", cause="password wrong")
    for dialect in (OAUTH, V1):
        body = dialect.refuse(refusal, CALL).body.decode()
        assert "10.0.0.7" not in body
        assert "password" not in body


@given(st.text(), st.text())
def test_what_a_stranger_sent_comes_back_as_json_and_printable(said: str, seen: str) -> None:
    """TE-13: descriptions are printable ASCII, whatever is in them."""
    clean = seen.encode(errors="replace").decode()
    for dialect in (OAUTH, V1):
        document = told(dialect.refuse(e.ParameterInvalid(said, seen=clean), CALL))
        assert re.fullmatch(r"[\x20\x21\x23-\x5b\x5d-\x7e]+", document["error_description"])
        seen_again = document["details"]["seen"]
        assert [char for char in seen_again if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs")] == []
        assert len(seen_again) == len(clean)


def test_what_a_stranger_sent_does_not_come_back_at_any_length() -> None:
    for seen in ("a" * 60_000, ["a" * 60_000], ["a"] * 30_000, {"a": 1}):
        details = told(OAUTH.refuse(e.TargetInvalid(seen=seen), CALL))["details"]
        assert len(str(details["seen"])) <= max(refusing.MAX_SAID + 6, 5 * refusing.MAX_LISTED)


def test_details_have_only_what_there_is_to_say() -> None:
    details = told(OAUTH.refuse(e.ParameterMissing("scope is required", seen="scope"), CALL))["details"]
    assert details == {"seen": "scope", "hint": e.ParameterMissing.hint}
    refusal = Refusal()
    assert told(OAUTH.refuse(refusal, CALL))["details"] == {"hint": Refusal.hint}
    assert "cambist-decision-id" not in dict(OAUTH.refuse(refusal, CALL).headers)


def test_only_types_of_the_page_are_not_implemented() -> None:
    """Decision 9: the one 5xx that input can cause."""
    for name in PAGE:
        assert V1.refuse(of(e.TokenTypeNotEnabled, seen=name), CALL).status == 501
        assert OAUTH.refuse(of(e.TokenTypeNotEnabled, seen=name), CALL).status == 400
    refresh = "urn:ietf:params:oauth:token-type:refresh_token"
    assert V1.refuse(of(e.TokenTypeNotEnabled, seen=refresh), CALL).status == 400


def test_a_header_that_may_come_once_is_read_whatever_its_case() -> None:
    assert Call(method="GET", path="/", headers=(("X-A", "1"),)).header("x-a") == "1"
    assert CALL.header("x-a") is None


def test_a_token_that_was_sent_in_a_wrong_place_does_not_come_back() -> None:
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    for seen in (token, [token], f"a {token} b", token * 40):
        for dialect in (OAUTH, V1):
            body = dialect.refuse(ParameterInvalid(seen=seen), CALL).body
            assert b"eyJ" not in body
            assert b"withheld" in body
    assert told(V1.refuse(ParameterInvalid(seen="eyJ"), CALL))["details"]["seen"] == "eyJ"


# ── the link, and what a user reads who sees nothing but the description ────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_every_refusal_links_to_the_anchor_of_its_reason(kind: type[Refusal]) -> None:
    """RFC 6749 section 5.2: a URI, of these characters alone."""
    page = "https://docs.example.test/why"
    for dialect in (oauth.OAuth({}, page=page), v1.V1({}, page=page)):
        link = told(dialect.refuse(of(kind), CALL))["error_uri"]
        assert link == f"{page}#{kind.reason}"
        assert re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", link)


def test_a_reason_of_a_plugin_links_to_that_of_which_it_is_made() -> None:
    class BadSeal(e.SignatureInvalid):
        """The seal is broken."""

        reason = "badge_seal_broken"

    assert told(V1.refuse(BadSeal(), CALL))["error_uri"] == "/reasons#signature_invalid"


def test_what_was_expected_and_seen_is_in_the_description_too() -> None:
    refusal = e.AudienceMismatch(expected=["https://a.example.test"], seen=["https://b.example.test", "c"])
    text = told(V1.refuse(refusal, CALL))["error_description"]
    assert text == "The credential was issued for somebody else (expected https://a.example.test; seen https://b.example.test and c)"


def test_what_is_easily_overlooked_is_pointed_at() -> None:
    refusal = e.AudienceMismatch(expected=["https://a.example.test"], seen=["https://A.example.test/"])
    document = told(V1.refuse(refusal, CALL))
    assert document["details"]["differs_in"] == ["a final slash", "capital and small letters"]
    assert document["error_description"].endswith("https://a.example.test differs from it in a final slash and capital and small letters)")
    assert "differs_in" not in told(V1.refuse(e.AudienceMismatch(expected=["a"], seen=["b"]), CALL))["details"]


def test_members_that_were_seen_are_told_by_name() -> None:
    text = told(V1.refuse(e.Denied(seen={"subject": "job", "scope": ["a", "b"], "actor": None}), CALL))["error_description"]
    assert text == "The policy of the zone does not allow this (seen subject job, scope a and b)"


def test_the_form_dialect_ends_its_description_with_what_the_rest_is_asked_for_by() -> None:
    """Clients of OAuth show their users this text, and neither `reason` nor headers; the JSON page has texts that end before."""
    assert told(OAUTH.refuse(of(e.Rejected, said="no"), CALL))["error_description"] == "no (credential_rejected, decision d-1)"
    assert told(OAUTH.refuse(e.Overloaded(), CALL))["error_description"].endswith("was not begun. (overloaded)")
    assert told(V1.refuse(of(e.Rejected, said="no"), CALL))["error_description"] == "no"


def test_words_of_its_own_are_told_as_they_are() -> None:
    """What a policy says, and what names the parameter already, gets nothing added to it."""
    for refusal in (
        e.Denied("policy denied: insufficient blast radius", seen=["x"]),
        e.LifetimeAboveCap("the cap is 5 seconds", expected=5),
    ):
        assert told(V1.refuse(refusal, CALL))["error_description"] == refusal.said


def test_a_description_has_an_end_and_no_token_in_it() -> None:
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
    for refusal in (e.AudienceMismatch(expected=["x" * 9_000] * 90, seen=[token]), e.Rejected(f"{token} " * 900)):
        text = told(OAUTH.refuse(refusal, CALL))["error_description"]
        assert len(text) < refusing.MAX_SAID + 3 * refusing.MAX_PHRASE + 50
        assert "eyJ" not in text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_a_token_had_in_it_can_be_told(seen: Any) -> None:
    for dialect in (OAUTH, V1):
        assert told(dialect.refuse(e.ClaimNotAccepted(expected=[True], seen=seen), CALL))["reason"] == "claim_not_accepted"


def test_what_is_no_plain_value_is_told_by_its_type() -> None:
    assert told(V1.refuse(e.Rejected(seen=[{1, 2}, b"secret", 2**70]), CALL))["details"]["seen"] == [
        "<set>",
        "<bytes>",
        "<a number of 71 bits>",
    ]
