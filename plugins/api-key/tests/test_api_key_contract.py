"""`api-key` keeps the contract of every validator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import pytest

from cambist import Credential, Proven, Rejected, Role, Secret, Store, Unavailable, Validator
from cambist.store import MemoryStore
from cambist.testing import MovableClock, ValidatorContract
from cambist.token_type import API_KEY
from cambist_api_key.key import ApiKey
from cambist_api_key.keyring import Keyring
from cambist_api_key.validator import ApiKeyValidator

PEPPER = "a pepper of the test's own, and long enough"
ISSUER = "https://sts.example.test/api-keys/default"
DAY = 86_400


class Gone(MemoryStore):
    """A store that cannot be reached."""

    async def get_many(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        raise Unavailable(what="the store", cause="nobody answers")


def keyring(store: Store, clock: MovableClock) -> Keyring:
    return Keyring(zone="default", store=store, clock=clock, pepper=Secret(PEPPER), max_lifetime=DAY)


def made(ring: Keyring, lifetime: int = DAY) -> str:
    return asyncio.run(ring.create(owner="team", subject="bot", scopes=["read"], lifetime=lifetime)).text.reveal()


@pytest.mark.row("T-api-key")
class TestApiKeys(ValidatorContract):
    @pytest.fixture
    def ring(self, clock: MovableClock) -> Keyring:
        return keyring(MemoryStore(clock), clock)

    @pytest.fixture
    def validator(self, ring: Keyring) -> Validator:
        return ApiKeyValidator(ISSUER, ring)

    @pytest.fixture
    def good(self, ring: Keyring) -> Credential:
        return Credential(token=made(ring), token_type=API_KEY, role=Role.SUBJECT)

    @pytest.fixture
    def wrong(self, ring: Keyring, clock: MovableClock) -> Mapping[str, str]:
        revoked, elsewhere = made(ring), made(keyring(MemoryStore(clock), clock))
        asyncio.run(ring.revoke(ApiKey.parse(revoked).id))
        other = ApiKey(id=ApiKey.parse(made(ring)).id, secret=ApiKey.parse(elsewhere).secret)
        return {
            "of another store": elsewhere,
            "revoked": revoked,
            "with the secret of another key, and a checksum that fits": other.text().reveal(),
        }

    @pytest.fixture
    def cut_off(self, clock: MovableClock) -> Iterable[Validator]:
        return (ApiKeyValidator(ISSUER, keyring(Gone(clock), clock)),)

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        return (PEPPER,)


def proved(role: Role, clock: MovableClock, **how: bool) -> tuple[Proven, str]:
    ring = keyring(MemoryStore(clock), clock)
    token = made(ring)
    proven = asyncio.run(ApiKeyValidator(ISSUER, ring, **how).validate(Credential(token=token, token_type=API_KEY, role=role)))
    return proven, ApiKey.parse(token).id


def test_a_proof_names_its_key_so_that_it_can_be_told_apart_and_revoked() -> None:
    proven, key_id = proved(Role.SUBJECT, MovableClock())
    assert (proven.token_id, proven.identity.attributes["key_id"]) == (key_id, key_id)
    assert proven.scope == frozenset({"read"})


def test_a_key_acts_for_nobody_unless_that_is_said() -> None:
    with pytest.raises(Rejected, match="not taken as an actor"):
        proved(Role.ACTOR, MovableClock())
    assert proved(Role.ACTOR, MovableClock(), actors=True)[0].identity.subject == "bot"
