"""What surrounds every validator, so that no plugin can forget it. It never touches the store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .clock import Clock
from .credential import Credential, Possession, Role
from .errors import AudienceMismatch, CredentialTooLarge, Expired, IdentifierTooLong, PluginFault, PossessionMissing, Refusal
from .identity import Identity, Proven
from .validator import Seated, Takers

MAX_NAME = 1024
"""The longest issuer or subject, in bytes: together they become an identifier of at most 2,048."""


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
            seat = self.takers[credential.role].sole(credential.unverified())
            proven = await _ask(seat, replace(credential, possession=held))
            self._check(seat, proven, held, also_for)
            return replace(proven, token_type=credential.token_type)
        except Refusal as refusal:
            refusal.role = credential.role
            raise

    def _check(self, seat: Seated, proven: Proven, held: Possession, also_for: frozenset[str]) -> None:
        _sound(seat, proven)
        now = self.clock()
        if proven.expires_at <= now:
            raise Expired(f"it expired {math.ceil(now - proven.expires_at)} seconds ago")
        # TX-35: a token for another service, replayed here, is how one leak becomes many.
        accepted = (proven.meant_for or self.audiences) | also_for
        if proven.audience is not None and not proven.audience & accepted:
            raise AudienceMismatch(expected=sorted(proven.meant_for or self.audiences), seen=sorted(proven.audience))
        if proven.confirmation is not None and proven.confirmation not in held.thumbprints:
            raise PossessionMissing()


async def _ask(seat: Seated, credential: Credential) -> Proven:
    try:
        return await seat.validator.validate(credential)
    except Refusal:
        raise
    except Exception as error:
        raise PluginFault(seat.plugin, error) from error


def _sound(seat: Seated, proven: object) -> None:
    """What a plugin returns is input like any other."""
    if not isinstance(proven, Proven):
        raise PluginFault(seat.plugin, "it returned no Proven")
    if proven.single_use_until is not None and not proven.token_id:
        raise PluginFault(seat.plugin, "a single-use credential without an id")
    if math.isnan(proven.expires_at):
        raise PluginFault(seat.plugin, "an expiry that is no time")
    for identity in (proven.identity, *proven.chain):
        _sound_name(seat, identity)


def _sound_name(seat: Seated, identity: Identity) -> None:
    if not identity.issuer or not identity.subject:
        raise PluginFault(seat.plugin, "an identity without issuer or subject")
    if any(len(name.encode(errors="surrogatepass")) > MAX_NAME for name in (identity.issuer, identity.subject)):
        raise IdentifierTooLong()
