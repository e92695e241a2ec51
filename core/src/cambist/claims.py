"""Reads verified claims as their kind of issuer writes them: who it is, whether it is one of ours, and what is new about them."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .errors import ClaimMissing, ClaimNotAccepted, ProposedChange
from .preset import Preset

log = logging.getLogger(__name__)

STANDARD = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce"})
MAX_WARNINGS = 50


class Claims:
    """How the claims of one issuer are read: `only` are the values that some must have, `proposals` lets proposed changes in."""

    def __init__(self, issuer: str, preset: Preset, *, only: Mapping[str, tuple[str, ...]], proposals: bool = True) -> None:
        self._issuer, self._preset, self._only, self._proposals = issuer, preset, only, proposals
        self._proposed = [(name, re.compile(pattern)) for name, pattern in preset.proposed.items()]
        self._formats = [re.compile(pattern) for _, pattern in sorted(preset.formats.items(), reverse=True)]
        self._changes = bool(preset.names or preset.proposed)
        self._usual = frozenset(preset.usual)
        self._known = STANDARD | {*preset.usual, *preset.known, *(path[0] for path in preset.names.values())}
        self._warned: set[str] = set()

    def read(self, claims: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """The subject, and the facts for the policy. Raises ClaimMissing, ClaimNotAccepted, ProposedChange."""
        facts = self._facts(claims) if self._changes else claims
        for name in self._preset.needed:
            _text(facts, name)
        for name, values in self._only.items():
            if (seen := _text(facts, name)) not in values:
                raise ClaimNotAccepted(f"{name} is not one that is accepted from this issuer", expected=list(values), seen=seen)
        if self._preset.name and not self._as_ever(claims):
            self._warn(claims)
        return self._subject(facts), facts

    def _facts(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """All claims, and under each name of the map the claim that it stands for, or nothing: never another of that name."""
        facts = dict(claims)
        for name, path in self._preset.names.items():
            if (value := _at(claims, path)) is None:
                facts.pop(name, None)
            else:
                facts[name] = value
        if self._proposed:
            facts["proposed_change"] = self._caused_by_proposal(facts)
        return facts

    def _caused_by_proposal(self, facts: Mapping[str, Any]) -> bool:
        for name, pattern in self._proposed:
            if name in facts and pattern.fullmatch(_text(facts, name)):
                if not self._proposals:
                    raise ProposedChange(f"{name} tells of a proposed change", seen={name: facts[name]})
                return True
        return False

    def _subject(self, facts: Mapping[str, Any]) -> str:
        """Each id behind its name, escaped, so that no two make one subject."""
        if not self._preset.subject:
            return str(facts["sub"])
        return ":".join([f"{name}:{quote(_text(facts, name), safe='')}" for name in self._preset.subject])

    def _as_ever(self, claims: Mapping[str, Any]) -> bool:
        return claims.keys() <= self._known and self._usual <= claims.keys() and self._formatted(claims)

    def _formatted(self, claims: Mapping[str, Any]) -> bool:
        return not self._formats or any(pattern.fullmatch(claims["sub"]) for pattern in self._formats)

    def _warn(self, claims: Mapping[str, Any]) -> None:
        """Once of each way in which these claims are not what the preset knows: their issuer has changed something."""
        changes = [f"has a new claim {name[:80]!r}" for name in claims.keys() - self._known]
        changes += [f"lacks the claim {name!r}" for name in self._usual - claims.keys()]
        changes += [] if self._formatted(claims) else ["writes sub in a new format"]
        for change in sorted(set(changes) - self._warned):
            if len(self._warned) < MAX_WARNINGS:
                self._warned.add(change)
                log.warning("%s %s (preset %s of %s)", self._issuer, change, self._preset.name, self._preset.dated)


def _at(claims: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = claims
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _text(facts: Mapping[str, Any], name: str) -> str:
    """A fact that is text, or a whole number, in one spelling. Raises ClaimMissing."""
    value = facts.get(name)
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or not value:
        raise ClaimMissing(f"{name} is missing, or neither text nor a whole number", expected=name)
    return value
