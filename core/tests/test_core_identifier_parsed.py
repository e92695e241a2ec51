"""A workload identifier has one spelling, and whoever may assert it is found by scheme and trust domain alone."""

from __future__ import annotations

import pytest

from cambist import CredentialMalformed, Identity
from cambist.identifier import MAX_LENGTH, Parsed, identifier, parsed
from cambist.zone import Zone


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("spiffe://td.example/a/b", Parsed("spiffe", "td.example", "/a/b")),
        ("wimse://td.example/a", Parsed("wimse", "td.example", "/a")),
        ("spiffe://td_1-x.example", Parsed("spiffe", "td_1-x.example", "")),
        ("spiffe://td/..a/a../...", Parsed("spiffe", "td", "/..a/a../...")),
    ],
)
def test_an_identifier_is_taken_apart(text: str, parts: Parsed) -> None:
    assert parsed(text) == parts
    assert parsed(text).origin == f"{parts.scheme}://{parts.trust_domain}"


@pytest.mark.parametrize(
    "text",
    [
        "", "spiffe:", "spiffe://", "spiffe:///a", "SPIFFE://td/a", "spiffe://TD/a", "https://td/a", " spiffe://td/a", "spiffe://td/a\n",
        "spiffe://td/", "spiffe://td/a/", "spiffe://td//a", "spiffe://td/a/./b", "spiffe://td/..", "spiffe://td/a/..", "spiffe://td/%61",
        "spiffe://td:80/a", "spiffe://u@td/a", "spiffe://td/a?b", "spiffe://td/a#b", "spiffe://td/ä", "spiffe://t\u0131d/a", "spiffe://td/a\\b",
        f"spiffe://{'t' * 256}/a", f"spiffe://td/{'a' * MAX_LENGTH}",
    ],
)  # fmt: skip
def test_another_spelling_is_no_identifier(text: str) -> None:
    with pytest.raises(CredentialMalformed):
        parsed(text)


def test_what_we_name_ourselves_is_an_identifier() -> None:
    zone = Zone(issuer="https://sts.example.test")
    for subject in ("a", "../x", "a b/c?d#e", "ä", "."):
        name = identifier(zone, Identity(issuer="https://issuer.example.test:8443/x", subject=subject))
        assert parsed(name).origin == "wimse://sts.example.test"
