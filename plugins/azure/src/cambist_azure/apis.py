"""Whose tokens are never for us: the APIs of Azure itself, for which every workload has tokens that it shows around."""

from __future__ import annotations

_AUDIENCES = frozenset(
    {
        *("management.azure.com", "management.core.windows.net"),
        *("management.usgovcloudapi.net", "management.core.usgovcloudapi.net"),
        *("management.chinacloudapi.cn", "management.core.chinacloudapi.cn"),
        *("graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"),
        *("graph.windows.net", "graph.microsoftazure.us", "graph.chinacloudapi.cn"),
        *("vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn"),
        *("storage.azure.com", "database.windows.net", "database.usgovcloudapi.net", "database.chinacloudapi.cn"),
        "797f4846-ba00-4fd7-ba43-dac1f8f63013",  # Azure Resource Manager
        "00000003-0000-0000-c000-000000000000",  # Microsoft Graph
        "00000002-0000-0000-c000-000000000000",  # its predecessor
        "azureadtokenexchange",  # the token endpoint of Entra itself, where this proves an application
        "azureadtokenexchangeusgov",
        "azureadtokenexchangechina",
    }
)


def is_api_of_azure(audience: str) -> bool:
    """Whether an audience is one of Azure's own APIs, however it is written."""
    return audience.lower().removeprefix("https://").removeprefix("api://").rstrip("/") in _AUDIENCES
