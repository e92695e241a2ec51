"""What is one for the whole service, whatever its zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from .egress import EgressSettings
from .listen import Listen
from .shape import Shape

REASONS = "/reasons"
"""Where this service explains its reasons itself."""


class Installation(Shape):
    """What is one for the whole service. The keys of the zone `default` stand beside these, at the top level."""

    issuer: str = Field(description="Who issues: an https URL without query and fragment, as clients and resource servers will compare it.")
    public_url: str = Field("", description="The URL under which the endpoints are reached; absent: the issuer.")
    keys: str | None = Field(None, description="The key store, by plugin name; absent: the only one that is enabled, else keys in memory.")
    store: str | None = Field(None, description="The store, by plugin name; absent: the only one that is enabled, else memory.")
    reasons_url: str = Field(
        "",
        pattern=r"^[\x21\x23-\x5b\x5d-\x7e]*$",
        description="Where the page of the reason codes is read, which every refusal links to; absent: `/reasons` of this service.",
    )
    jwks_max_age: int = Field(300, ge=1, le=86_400, description="How long our keys may be cached, in seconds; a new one waits longer.")
    deadline: float = Field(5.0, gt=0, le=60, description="The longest that one decision may take, in seconds.")
    log_decisions: Literal["all", "refused", "none"] = Field(
        "all", description="Which decisions have a line in the log, beside the ledger."
    )
    tracing: bool = Field(False, description="Send spans by OpenTelemetry, where the `OTEL_*` variables say; needs the extra `otel`.")
    listen: Listen = Field(Listen(), description="Where the service listens.")
    egress: EgressSettings = Field(EgressSettings(), description="How this service calls others.")
    zones: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, repr=False, description="Further zones, by name.")

    @property
    def url(self) -> str:
        return (self.public_url or self.issuer).rstrip("/")

    @property
    def reasons(self) -> str:
        """The page that refusals link to, each to the anchor of its reason."""
        return self.reasons_url or f"{self.url}{REASONS}"
