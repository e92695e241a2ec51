"""What the plugins of one zone offer there, before any of it is at work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .credential import Role
from .policy import Policy
from .validator import Seated, Takers


@dataclass(kw_only=True)
class Offers:
    """What is offered, everything that is wrong with it, and who takes which credential, once that was asked."""

    validators: list[Seated] = field(default_factory=list)
    policies: list[tuple[str, Policy]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    takers: Mapping[Role, Takers] | None = None

    @property
    def objects(self) -> list[tuple[str, Any]]:
        """Each with the plugin that offered it."""
        return [*((seated.plugin, seated.validator) for seated in self.validators), *self.policies]
