"""The judging seam, and finding the one validator that takes a credential."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from .compact import Compact
from .credential import Credential, Unverified, envelope
from .errors import Ambiguous, CredentialMalformed, IssuerNotTrusted, Malformed, TokenTypeNotEnabled, TokenTypeUnknown, Unclaimed
from .fence import fenced
from .identity import Proven
from .spelling import folded
from .token_type import KNOWN, PAGE


@runtime_checkable
class Validator(Protocol):
    """Judges credentials of the types it names.

    `issuers` are those it trusts, where its credentials name one; None: it takes any credential of its types that it
    `recognizes`. `validate` raises Rejected for a credential that is bad, Unavailable when it cannot judge, and nothing else.
    """

    @property
    def token_types(self) -> frozenset[str]: ...
    @property
    def issuers(self) -> frozenset[str] | None: ...
    def recognizes(self, unverified: Unverified) -> bool:
        """Whether this credential is its business; sees only what is written on the envelope."""

    async def validate(self, credential: Credential) -> Proven: ...


@dataclass(frozen=True, slots=True)
class Seated:
    """A validator, and the plugin that offered it. What it said it takes when it was seated is what it may speak for ever after.

    Raises TypeError when it names its types or issuers otherwise than by a set of texts.
    """

    plugin: str
    validator: Validator
    token_types: frozenset[str] = field(init=False)
    issuers: frozenset[str] | None = field(init=False)

    def __post_init__(self) -> None:
        issuers = self.validator.issuers
        object.__setattr__(self, "token_types", _texts("token_types", self.validator.token_types))
        object.__setattr__(self, "issuers", None if issuers is None else _texts("issuers", issuers))

    def takes(self, unverified: Unverified) -> bool:
        """Whether it takes a credential whose issuer is nobody's. Raises PluginFault."""
        with fenced(self.plugin):
            return self.issuers is None and bool(self.validator.recognizes(unverified))


def _texts(name: str, value: object) -> frozenset[str]:
    """One text in place of a set of them would contain each of its own parts."""
    if not isinstance(value, AbstractSet) or not all(isinstance(text, str) for text in value):
        raise TypeError(f"its {name} are no set of texts")
    return frozenset(value)


@dataclass(frozen=True, slots=True)
class Takers:
    """The validators of one role, by token type, then by issuer."""

    by_issuer: Mapping[tuple[str, str], Seated]
    by_type: Mapping[str, Sequence[Seated]]
    by_spelling: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """What a trusted issuer is really called, by what is easily overlooked: for words, never for trust."""

    @classmethod
    def of(cls, seated: Iterable[Seated]) -> Takers:
        """Raises ValueError, with both names, when two would take one credential and it can be seen already."""
        by_issuer: dict[tuple[str, str], Seated] = {}
        by_type: dict[str, list[Seated]] = {}
        for seat in seated:
            for token_type in sorted(seat.token_types):
                by_type.setdefault(token_type, []).append(seat)
                for issuer in sorted(seat.issuers or ()):
                    if (other := by_issuer.setdefault((token_type, issuer), seat)) is not seat:
                        raise ValueError(f"{other.plugin} and {seat.plugin} both take {token_type} of {issuer}")
        for token_type, seats in by_type.items():
            if len(everything := [seat.plugin for seat in seats if seat.issuers is None]) > 1:
                raise ValueError(f"{' and '.join(everything)} both take every {token_type}")
        return cls(by_issuer, by_type, {(token_type, folded(issuer)): issuer for token_type, issuer in by_issuer})

    @property
    def token_types(self) -> frozenset[str]:
        return frozenset(self.by_type)

    def _nobody(self, token_type: str) -> Malformed:
        if token_type in KNOWN:
            return TokenTypeNotEnabled(expected=sorted(self.by_type), seen=token_type)
        return TokenTypeUnknown(expected=sorted({*PAGE, *self.by_type}), seen=token_type)

    def _unknown(self, token_type: str, issuer: str | None) -> Unclaimed:
        """Who spells a trusted issuer otherwise is told how it is spelled: whether one is trusted shows to whoever names it anyway."""
        if issuer is None:
            return Unclaimed("it names no issuer, as a JWT does in iss, and nobody here takes this type without one")
        return IssuerNotTrusted(expected=self.by_spelling.get((token_type, folded(issuer))), seen=issuer)

    def taking(self, token_type: str) -> Sequence[Seated]:
        """All that take a type. Raises TokenTypeUnknown, TokenTypeNotEnabled."""
        if not (seats := self.by_type.get(token_type, ())):
            raise self._nobody(token_type)
        return seats

    def taker(self, credential: Credential) -> tuple[Seated, Compact | None]:
        """The one that takes a credential, with the parts of a JWT. Raises as `sole`, and CredentialMalformed.

        What looks like a JWT and is none may still be an opaque token: whoever trusts issuers by name can do nothing with
        it, but one who takes tokens without an issuer can.
        """
        try:
            parts = credential.apart()
        except CredentialMalformed as malformed:
            try:
                return self.sole(Unverified(token_type=credential.token_type)), None
            except Ambiguous:
                raise
            except Unclaimed:
                raise malformed from None
        seat = self.sole(envelope(credential.token_type, parts))
        # Without an issuer of its own somebody was asked whether it knows the envelope: what it was shown is not believed (U5).
        return seat, None if seat.issuers is None else parts

    def sole(self, unverified: Unverified) -> Seated:
        """The one that takes it. Raises TokenTypeUnknown, TokenTypeNotEnabled, IssuerNotTrusted, Unclaimed, Ambiguous or PluginFault."""
        seats = self.taking(unverified.token_type)
        if unverified.issuer is not None and (exact := self.by_issuer.get((unverified.token_type, unverified.issuer))):
            return exact
        match [seat for seat in seats if seat.takes(unverified)]:
            case [seat]:
                return seat
            case []:
                raise self._unknown(unverified.token_type, unverified.issuer)
            case several:
                raise Ambiguous(plugins=[seat.plugin for seat in several])
