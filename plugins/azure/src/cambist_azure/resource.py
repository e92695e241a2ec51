"""Reads the id of a resource of Azure, as it stands in `xms_mirid`, and nothing that is only nearly one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cambist import CredentialMalformed

GUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# ASCII, because ids are compared without case, and other letters have several: a name with dots alone would be a path.
_NAME = r"(?!\.+(?:/|$))[a-z0-9_.()-]{1,128}"
_RESOURCE = re.compile(
    rf"/subscriptions/(?P<subscription_id>{GUID})/resourcegroups/(?P<resource_group>{_NAME})"
    rf"/providers/(?P<resource_type>[a-z0-9]+(?:\.[a-z0-9]+)+/[a-z0-9]+)/(?P<resource_name>{_NAME})(?P<below>(?:/[a-z0-9]+/{_NAME})*)",
    re.IGNORECASE | re.ASCII,
)
USER_ASSIGNED = "microsoft.managedidentity/userassignedidentities"
NAMES = frozenset({"resource_id", "subscription_id", "resource_group", "resource_type", "resource_name"})


def resource(claim: str, text: str) -> Mapping[str, str]:
    """What an id consists of, by the names of NAMES, in lower case: Azure compares them so. Raises CredentialMalformed."""
    found = _RESOURCE.fullmatch(text)
    if found is None:
        raise CredentialMalformed(f"{claim} is not the id of a resource")
    parts = {name: value.lower() for name, value in found.groupdict().items() if name != "below"}
    return {**parts, "resource_id": text.lower()}
