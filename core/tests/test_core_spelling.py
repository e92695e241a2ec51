"""Names that a reader takes for one: what is different about them is said, and other names are others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist.spelling import differences, folded, overlooked

ISSUER = "https://issuer.example.test/realms/a"


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (f"{ISSUER}/", ["a final slash"]),
        ("https://Issuer.example.test/realms/a", ["capital and small letters"]),
        ("https://issuer.example.test/realms/A/", ["a final slash", "capital and small letters"]),
        ("http://issuer.example.test/realms/a", ["the scheme"]),
        ("https://issuer.example.test:443/realms/a", ["the port"]),
        ("issuer.example.test/realms/a", ["the scheme"]),
        (f" {ISSUER}", ["spaces around it"]),
        (ISSUER, []),
        ("https://issuer.example.test/realms/b", []),
        ("https://issuer.example.test:8443/realms/a", []),
        ("", []),
    ],
)
def test_what_is_different_is_said_where_it_is_easily_overlooked(other: str, found: list[str]) -> None:
    assert differences(ISSUER, other) == differences(other, ISSUER) == found


@given(st.text(max_size=40), st.text(max_size=40))
def test_only_names_that_are_alike_have_differences_to_tell(one: str, other: str) -> None:
    assert bool(differences(one, other)) == (one != other and folded(one) == folded(other))


def test_lists_are_compared_each_with_each() -> None:
    assert overlooked(["a", "https://x.test"], ["b", "https://x.test/"]) == ("https://x.test", ["a final slash"])
    assert overlooked("a", "A") == ("a", ["capital and small letters"])
    assert overlooked(["a"], ["b"]) is overlooked({"a": 1}, {"A": 1}) is overlooked(5, "5") is None


def test_the_end_of_a_name_is_meant_to_be_the_whole() -> None:
    names = ["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"]
    assert overlooked(names, "jwt") == (names[1], ["its beginning"])
    assert overlooked(names, "") is overlooked(names, "wt") is None
