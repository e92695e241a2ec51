"""One credential type has one name, whatever the caller calls it."""

from __future__ import annotations

import pytest

from cambist import token_type
from cambist.token_type import ALIASES, KNOWN, PAGE, canonical

IETF = "urn:ietf:params:oauth:token-type:"


def test_the_page_lists_fourteen_types_each_once() -> None:
    assert len(PAGE) == len(set(PAGE)) == 14
    assert {canonical(name) for name in PAGE} <= KNOWN


@pytest.mark.parametrize(("name", "one"), ALIASES.items())
def test_an_alias_resolves_to_a_name_that_is_none(name: str, one: str) -> None:
    assert canonical(name) == one
    assert canonical(one) == one


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (f"{IETF}jwt", token_type.JWT),
        ("URN:ietf:params:oauth:token-type:jwt", token_type.JWT),
        ("urn:IETF:params:oauth:token-type:jwt", token_type.JWT),
        ("urn:STARFLY:token-type:api-key", token_type.API_KEY),
        ("urn:cambist:token-type:api-key", token_type.API_KEY),
    ],
)
def test_the_namespace_of_a_urn_has_no_case(written: str, read: str) -> None:
    assert canonical(written) == read


@pytest.mark.parametrize(
    "written",
    [
        f"{IETF}JWT",
        f"{IETF}jwt ",
        f" {IETF}jwt",
        f"{IETF}jwt/",
        "urn:ietf:Params:oauth:token-type:jwt",
        "jwt",
        "",
        "urn",
        "urn:",
        "urn:a",
        "http:a:b",
        "Urn",
    ],
)
def test_everything_else_of_a_name_is_compared_exactly(written: str) -> None:
    assert canonical(written) not in KNOWN
    assert canonical(written).casefold() == written.casefold()
