"""ID tokens, access tokens and the rest are told apart by what issuers write into them."""

from __future__ import annotations

from typing import Any

import pytest

from cambist.errors import KindMismatch
from cambist.token_kind import ACCESS, ID, check_kind

IDS: list[dict[str, Any]] = [
    {"typ": "ID"},
    {"typ": "id", "scope": "x"},
    {"token_use": "id"},
    {"nonce": "n"},
    {"at_hash": "h"},
    {"c_hash": "h"},
]
ACCESSES: list[dict[str, Any]] = [{"typ": "Bearer"}, {"typ": "DPoP"}, {"token_use": "access", "nonce": "n"}, {"scope": ""}, {"scp": []}]
OTHERS: list[dict[str, Any]] = [{"typ": "Refresh"}, {"typ": "Logout"}, {"token_use": "refresh"}, {"typ": "x" * 1000}]


@pytest.mark.parametrize("claims", [*IDS, {}, {"typ": 5}, {"sub": "a"}])
def test_an_id_token_or_what_tells_nothing_passes_for_an_id_token(claims: dict[str, Any]) -> None:
    check_kind(ID, claims)


@pytest.mark.parametrize("claims", [*ACCESSES, {}, {"typ": None}])
def test_an_access_token_or_what_tells_nothing_passes_for_an_access_token(claims: dict[str, Any]) -> None:
    check_kind(ACCESS, claims)


@pytest.mark.parametrize(("expected", "others"), [(ID, [*ACCESSES, *OTHERS]), (ACCESS, [*IDS, *OTHERS])])
def test_no_kind_passes_for_another_and_the_refusal_is_short(expected: str, others: list[dict[str, Any]]) -> None:
    for claims in others:
        with pytest.raises(KindMismatch) as refusal:
            check_kind(expected, claims)
        assert refusal.value.expected == expected
        assert len(str(refusal.value.seen)) < 60
