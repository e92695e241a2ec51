"""What is asked for, and with what: the same for both dialects until it is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict


class Asked(TypedDict, total=False):
    """What the token is to be good for. `ttl` is in seconds; `execution` are the members of `execution_scope` (JSON dialect)."""

    audience: str | Collection[str]
    resource: str | Collection[str]
    scope: str | Collection[str]
    ttl: int
    execution: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A credential that is shown for somebody."""

    token: str = field(repr=False)
    token_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One token, asked for by these."""

    subject: Shown | None
    actor: Shown | None
    zone: str | None
    audience: tuple[str, ...]
    resource: tuple[str, ...]
    scope: tuple[str, ...]
    ttl: int | None
    execution: Mapping[str, str] | None

    @classmethod
    def of(cls, asked: Asked, *, subject: Shown | None, actor: Shown | None, zone: str | None) -> Wanted:
        scope = asked.get("scope", ())
        return cls(
            subject=subject,
            actor=actor,
            zone=zone,
            audience=_several(asked.get("audience", ())),
            resource=_several(asked.get("resource", ())),
            scope=tuple(sorted(set(scope.split() if isinstance(scope, str) else scope))),
            ttl=asked.get("ttl"),
            execution=asked.get("execution"),
        )

    def key(self) -> str:
        """What a kept token is found by: whoever shows another credential, or asks for something else, does not find it."""
        parts: list[Any] = [self.zone, self.audience, self.resource, self.scope, self.ttl]
        parts += [shown and [shown.token_type, shown.token] for shown in (self.subject, self.actor)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def may_be_kept(self) -> bool:
        """A token for one request is good once."""
        return self.execution is None


def _several(value: str | Collection[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
