"""What the settings of `gcp` refuse before the service opens, and how addresses of accounts are read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cambist_gcp.account import is_account, project_of
from cambist_gcp.settings import GcpSettings

GOOD: dict[str, Any] = {"audience": ["https://sts.example"], "projects": ["acme-prod"]}
ROBOT = {"email": "robot@acme-prod.iam.gserviceaccount.com", "id": "1038"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"projects": ["acme-prod"]}, "audience"),
        ({**GOOD, "audience": []}, "audience"),
        ({"audience": ["https://sts.example"]}, "say by projects, accounts or self_signed whose tokens are meant"),
        ({**GOOD, "accounts": ["robot@acme-prod.iam.gserviceaccount.com"]}, "numeric unique id"),
        ({**GOOD, "accounts": ["103\n"]}, "numeric unique id"),
        ({**GOOD, "self_signed": [{**ROBOT, "email": "alice@example.com"}]}, "gserviceaccount.com"),
        ({**GOOD, "self_signed": [{**ROBOT, "email": "../x@acme-prod.iam.gserviceaccount.com"}]}, "gserviceaccount.com"),
        ({**GOOD, "self_signed": [{"email": ROBOT["email"]}]}, "self_signed.0.id"),
        ({**GOOD, "self_signed": [ROBOT, ROBOT]}, "an issuer is listed twice"),
        ({**GOOD, "self_signed": [{**ROBOT, "jwks_url": "http://keys.example"}]}, "only https is called"),
        ({**GOOD, "jwks_url": "http://keys.example"}, "only https is called"),
        ({**GOOD, "project": ["acme-prod"]}, "project"),
    ],
)
def test_a_mistake_is_told(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        GcpSettings.model_validate(table)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("email", "project"),
    [
        ("robot@acme-prod.iam.gserviceaccount.com", "acme-prod"),
        ("robot@shop.example.com.iam.gserviceaccount.com", "example.com:shop"),
        ("acme-prod@appspot.gserviceaccount.com", "acme-prod"),
        ("65-compute@developer.gserviceaccount.com", "65"),
        ("65@cloudservices.gserviceaccount.com", "65"),
        ("65@something-new.gserviceaccount.com", None),
        ("-compute@developer.gserviceaccount.com", None),
        ("x@cloudbuild.gserviceaccount.com", None),
    ],
)
def test_an_address_tells_the_project(email: str, project: str | None) -> None:
    assert is_account(email)
    assert project_of(email) == project


@pytest.mark.parametrize(
    "email",
    [
        *("alice@example.com", "robot@acme-prod.iam.gserviceaccount.com.example.net", "robot@gserviceaccount.com"),
        *("robot@evil.example@acme-prod.iam.gserviceaccount.com", "Robot@acme-prod.iam.gserviceaccount.com"),
        *("robot@acme-prod.iam.gserviceaccount.com\n", "robot@acme-prod.iam.xgserviceaccount.com", "a/../b@c.iam.gserviceaccount.com", ""),
        *("robot@acme-prod.iam.gserviceaccount.co", "-compute@developer.gserviceaccount.co"),
    ],
)
def test_what_is_only_nearly_an_address_of_an_account_is_none(email: str) -> None:
    assert not is_account(email)
    assert project_of(email) is None
