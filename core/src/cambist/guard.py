"""What surrounds every validator, so that no plugin can forget it. It never touches the store."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .clock import Clock
from .credential import Credential, Possession, Role
from .errors import (
    AudienceMismatch,
    AudienceMissing,
    CredentialMalformed,
    CredentialTooLarge,
    Expired,
    IdentifierTooLong,
    PluginFault,
    PossessionMissing,
    Refusal,
)
from .fence import fenced
from .identity import Identity, MayAct, Proven
from .validator import Seated, Takers
from .value import replace

MAX_NAME = 1024
"""The longest issuer or subject, in bytes: together they become an identifier of at most 2,048."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Guard:
    """Proves credentials in one zone. Every refusal that leaves here says in which role the credential was presented."""

    takers: Mapping[Role, Takers]
    audiences: frozenset[str]
    max_token: int
    clock: Clock

    async def prove(self, credential: Credential, held: Possession, also_for: frozenset[str] = frozenset()) -> Proven:
        """`also_for` are audiences that this caller may present credentials of, beside the zone's own."""
        try:
            if len(credential.token) > self.max_token:
                raise CredentialTooLarge(expected=self.max_token, seen=len(credential.token))
            seat, parts = self.takers[credential.role].taker(credential)
            with fenced(seat.plugin):
                proven = await seat.validator.validate(replace(credential, possession=held, parts=parts))
                _sound(seat, proven, self.clock())
                self._check_issuer(seat, proven.identity.issuer, credential.role)
                self._check(proven, held, also_for)
                return _ours(proven, credential.token_type)
        except Refusal as refusal:
            refusal.role = credential.role
            if isinstance(refusal, AudienceMissing) and refusal.expected is None:
                refusal.expected = sorted(self.audiences)
            raise

    def _check_issuer(self, seat: Seated, issuer: str, role: Role) -> None:
        """A validator speaks for its own issuers; one that names none may not speak for the zone, but of its applications."""
        own = seat.issuers
        if (issuer not in own) if own is not None else (issuer in self.audiences and role is not Role.CLIENT):
            raise PluginFault(seat.plugin, "an identity of an issuer that is not its own")

    def _check(self, proven: Proven, held: Possession, also_for: frozenset[str]) -> None:
        now = self.clock()
        if proven.expires_at <= now:
            seen = {"exp": math.floor(proven.expires_at), "now": int(now)}
            raise Expired(f"it expired {math.ceil(now - proven.expires_at)} seconds ago", seen=seen)
        # TX-35: a token for another service, replayed here, is how one leak becomes many.
        own = proven.meant_for or self.audiences
        if proven.audience is not None and proven.audience.isdisjoint(own) and proven.audience.isdisjoint(also_for):
            raise AudienceMismatch(expected=sorted(own), seen=sorted(proven.audience))
        if proven.confirmation is not None and proven.confirmation not in held.thumbprints:
            raise PossessionMissing()


def _ours(proven: Proven, token_type: str) -> Proven:
    """A copy that no validator holds: what it does to its own after the judgement changes nothing (U5)."""
    chain = tuple([replace(who) for who in proven.chain])
    return replace(proven, token_type=token_type, identity=replace(proven.identity), chain=chain)


def _is_identity(value: object) -> bool:
    return type(value) is Identity and _are_names(value.issuer, value.subject) and _is_mapping(value.attributes)


def _is_mapping(value: object) -> bool:
    return type(value) is dict or isinstance(value, Mapping)  # claims are the former, and the latter costs as much as all other looks


def _is_may_act(value: object) -> bool:
    return type(value) is MayAct and _are_names(value.issuer, value.subject)


def _are_names(issuer: object, subject: object) -> bool:
    return type(issuer) is str and type(subject) is str


def _is_text(value: object) -> bool:
    return value is None or type(value) is str


def _are_texts(value: object) -> bool:
    return type(value) is frozenset and _TEXT.issuperset(map(type, value))


def _is_chain(value: object) -> bool:
    return type(value) is tuple and all(map(_is_identity, value))


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and -math.inf < value <= math.inf  # type: ignore[operator]  # NaN is neither


_TEXT = frozenset({str})


def _shape(proven: Proven) -> Mapping[str, bool]:
    """Whether each member is what it has to be, exactly.

    A text in place of a set of texts contains every part of itself, and a subclass answers anew each time it is asked (U5).
    """
    until = proven.single_use_until
    return {
        "identity": _is_identity(proven.identity),
        "expires_at": _is_time(proven.expires_at),
        "audience": proven.audience is None or _are_texts(proven.audience),
        "meant_for": _are_texts(proven.meant_for),
        "scope": proven.scope is None or _are_texts(proven.scope),
        "token_id": _is_text(proven.token_id),
        "key_id": _is_text(proven.key_id),
        "single_use_until": until is None or (_is_time(until) and until < math.inf),
        "confirmation": _is_text(proven.confirmation),
        "chain": _is_chain(proven.chain),
        "may_act": proven.may_act is None or _is_may_act(proven.may_act),
        "transaction": _is_text(proven.transaction),
        "default_target": _is_text(proven.default_target),
    }


def _sound(seat: Seated, proven: Proven, now: float) -> None:
    """What a plugin returns is input like any other."""
    if type(proven) is not Proven:
        raise PluginFault(seat.plugin, "it returned no Proven")
    shape = _shape(proven)
    if not all(shape.values()):
        wrong = [name for name, fits in shape.items() if not fits]
        raise PluginFault(seat.plugin, f"a proof whose {' and '.join(wrong)} cannot be")
    _sound_mark(seat, proven, now)
    for identity in (proven.identity, *proven.chain):
        _sound_name(seat, identity)


def _sound_mark(seat: Seated, proven: Proven, now: float) -> None:
    """What is accepted once is remembered for as long as it could be accepted again; one that has ended is merely expired."""
    until, end = proven.single_use_until, proven.expires_at
    if until is not None and not (proven.token_id and (until > now or end <= now)):
        raise PluginFault(seat.plugin, "a single-use credential without an id, or that is forgotten at once")
    if until is not None and until < end < math.inf:
        raise PluginFault(seat.plugin, "a single-use credential that is forgotten before it ends")


def _sound_name(seat: Seated, identity: Identity) -> None:
    for name in (identity.issuer, identity.subject):
        if not name:
            raise PluginFault(seat.plugin, "an identity without issuer or subject")
        if _CONTROL.search(name):
            raise CredentialMalformed("a name with control characters in it")
        if len(name.encode()) > MAX_NAME:
            raise IdentifierTooLong()
