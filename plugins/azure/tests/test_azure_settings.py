"""What the settings of `azure` refuse before the service opens."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cambist_azure.settings import AzureSettings

TENANT = "2f9c7d5e-41b8-4c6a-9e3d-7a8b9c0d1e2f"
GOOD: dict[str, Any] = {"audience": ["api://cambist"], "tenants": [{"id": TENANT}]}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"tenants": GOOD["tenants"]}, "audience"),
        ({**GOOD, "audience": []}, "audience"),
        ({**GOOD, "audience": ["https://management.azure.com/"]}, "is an API of Azure's own"),
        ({**GOOD, "audience": ["00000003-0000-0000-c000-000000000000"]}, "is an API of Azure's own"),
        ({**GOOD, "audience": ["api://AzureADTokenExchange"]}, "is an API of Azure's own"),
        ({"audience": ["api://cambist"]}, "tenants"),
        ({**GOOD, "tenants": []}, "tenants"),
        ({**GOOD, "tenants": [{"id": "common"}]}, "common, organizations and consumers are everybody"),
        ({**GOOD, "tenants": [{"id": "acme.onmicrosoft.com"}]}, "must be the id of one tenant"),
        ({**GOOD, "tenants": [{"id": "9188040d-6c67-4c5b-b112-36a304b66dad"}]}, "all personal accounts"),
        ({**GOOD, "tenants": [{"id": TENANT}, {"id": TENANT.upper()}]}, "an issuer is listed twice"),
        ({**GOOD, "tenants": [{"id": TENANT, "cloud": "germany"}]}, "tenants.0.cloud"),
        ({**GOOD, "tenants": [{"id": TENANT, "jwks_url": "http://keys.example"}]}, "only https is called"),
        ({**GOOD, "tenants": [{"id": TENANT, "user": True}]}, "user"),
    ],
)
def test_a_mistake_is_told(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        AzureSettings.model_validate(table)
    assert said in str(refusal.value)


def test_two_tenants_are_trusted_each_by_itself() -> None:
    other = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    settings = AzureSettings.model_validate({**GOOD, "tenants": [{"id": TENANT}, {"id": other, "cloud": "china"}]})
    assert [tenant.issuer for tenant in settings.tenants] == [
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
        f"https://login.partner.microsoftonline.cn/{other}/v2.0",
    ]
