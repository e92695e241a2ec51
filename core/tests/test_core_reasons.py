"""Where the link of a refusal leads: a page of the service itself, with an anchor for each reason, or wherever the operator says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown.extensions.toc import slugify  # type: ignore[import-untyped]  # it has no types of its own

from cambist import DidNotStart
from cambist.errors import Rejected
from cambist.settings import parse
from cambist.testing import ISSUER, open_sts
from cambist.wire import codes
from cambist.wire.reasons import FAMILIES, named, reasons

CODES = [kind.reason for kind in codes.TABLE]


class Ids(HTMLParser):
    """The tags of a page, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]


async def test_the_service_has_an_anchor_for_each_reason() -> None:
    async with open_sts({}) as running:
        page = await running.http.get("/reasons")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        found = Ids()
        found.feed(page.text)
        assert sorted(found.ids) == sorted(CODES)


async def test_the_page_is_text_and_nothing_else() -> None:
    """Nobody can put anything on it, and should somebody: a browser runs none of it."""
    async with open_sts({}) as running:
        page = await running.http.get("/reasons?q=<script>", headers={"x-request-id": "abc"})
        found = Ids()
        found.feed(page.text)
        assert found.tags <= {"html", "head", "meta", "title", "body", "h1", "h2", "h3", "p", "dl", "dt", "dd", "code"}
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (page.headers["x-content-type-options"], page.headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert "max-age" in page.headers["cache-control"]
        assert (await running.http.post("/reasons")).status_code == 405


async def test_a_refusal_links_there_unless_another_page_is_named() -> None:
    for settings, page in (
        ({}, f"{ISSUER}/reasons"),
        ({"public_url": "https://public.example.test/sts/"}, "https://public.example.test/sts/reasons"),
        ({"reasons_url": "https://docs.example.test/reasons.html"}, "https://docs.example.test/reasons.html"),
    ):
        async with open_sts(settings) as running:
            for path in ("/oauth/2/token", "/v1/exchange/token", "/nothing/here"):
                document = (await running.http.get(path)).json()
                assert document["error_uri"] == f"{page}#{document['reason']}"


async def test_what_is_told_before_anything_is_begun_links_there_too() -> None:
    limits = {"listen": {"limits": {"address_rate": 0.01, "address_burst": 1}}}
    async with open_sts({**limits, "reasons_url": "https://docs.example.test/r"}) as running:
        answers = [(await running.http.get("/ready")), (await running.http.get("/ready"))]
        assert answers[1].json()["error_uri"] == "https://docs.example.test/r#too_many_requests"


@pytest.mark.parametrize(
    "url",
    [
        "http://docs.example.test/r",
        "docs",
        "https://docs.example.test/r#x",
        "https://docs.example.test/?q",
        'https://x.test/"',
        "https://x.test/a b",
    ],
)
def test_a_page_that_cannot_be_linked_to_keeps_the_service_shut(url: str) -> None:
    with pytest.raises(DidNotStart, match="reasons_url"):
        parse({"issuer": ISSUER, "reasons_url": url})


@pytest.mark.parametrize("code", CODES)
def test_an_anchor_is_the_same_in_every_rendering(code: str) -> None:
    """As headings of a Markdown page become anchors, where it is rendered by mkdocs and where the repository is read."""
    assert slugify(code, "-") == code
    assert re.sub(r"[^\w\- ]", "", code.lower()).replace(" ", "-") == code


def test_every_reason_has_its_place_and_its_words() -> None:
    assert sorted(reason.code for reason in reasons()) == sorted(CODES)
    for reason in reasons():
        assert reason.family in FAMILIES.values()
        assert reason.meaning
        assert reason.likely
        assert reason.fix
        assert named(reason.code) is reason
    assert named("badge_not_sealed") is None


def test_the_codes_that_were_published_are_still_there() -> None:
    """A reason code is a promise, and so is its anchor: this list only grows."""
    assert set(PUBLISHED) <= set(CODES)


PUBLISHED = """
refused malformed body_too_large head_too_large framing_unsound not_arrived media_type_unsupported method_not_allowed path_unknown
parameter_missing parameter_repeated parameter_invalid parameter_unsupported scope_malformed grant_type_unsupported token_type_unknown
token_type_not_enabled zone_unknown target_missing target_invalid ttl_above_cap client_refused client_authentication_failed client_required
client_mismatch grant_not_allowed credential_unclaimed issuer_not_trusted credential_ambiguous credential_rejected credential_malformed
audience_missing credential_too_large signature_invalid key_unknown algorithm_refused credential_expired credential_not_yet_valid
audience_mismatch token_kind_mismatch audience_not_sole authorized_party_mismatch nonce_mismatch claim_missing claim_not_accepted
proposed_change user_token platform_token tenant_mismatch legacy_token subject_contradicted cluster_ambiguous credential_inactive
possession_missing replayed revoked identifier_too_long policy_denied target_denied scope_denied actor_not_permitted
delegation_chain_refused token_too_large temporarily_unavailable deadline_exceeded overloaded too_many_requests policy_answer_unclear
internal_fault plugin_fault response_type_unsupported
""".split()  # noqa: SIM905 - sorted by what they are about, as the page is


def test_a_kind_without_a_sentence_means_what_its_parent_does() -> None:
    """A plugin that says nothing about its refusal must not break the telling of it."""
    silent: Any = type("Silent", (Rejected,), {"reason": "silent"})
    assert silent().said == silent.meaning() == Rejected.meaning()
