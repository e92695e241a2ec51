"""Judges API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cambist import Credential, Identity, Proven, Rejected, Role, Unverified
from cambist.token_type import API_KEY

from .key import ApiKey
from .keyring import Keyring

if TYPE_CHECKING:
    import click


class ApiKeyValidator:
    """Takes the keys of one zone. Their identities are named by the zone's own issuer of keys, which issues nothing else."""

    token_types = frozenset({API_KEY})
    issuers = None

    def __init__(self, issuer: str, keyring: Keyring, *, actors: bool = False) -> None:
        self._issuer, self._keyring, self._actors = issuer, keyring, actors

    def recognizes(self, unverified: Unverified) -> bool:
        return True

    async def validate(self, credential: Credential) -> Proven:
        if credential.role is Role.ACTOR and not self._actors:
            # A static secret is the weakest of proofs: whoever copied it would act for others.
            raise Rejected("an API key is not taken as an actor token here")
        key = ApiKey.parse(credential.token)
        record = await self._keyring.proved(key)
        return Proven(
            identity=Identity(
                issuer=self._issuer,
                subject=record.subject,
                attributes={"key_id": key.id, "owner": record.owner, "created": record.created},
            ),
            expires_at=self._keyring.ends(record),
            scope=frozenset(record.scopes),
            token_id=key.id,
        )

    def command(self) -> click.Command:
        """`cambist api-key create|list|revoke`."""
        from .command import group  # noqa: PLC0415 -- a server that only judges keys does not load the command line

        return group(self._keyring)
