"""The contract of key stores catches each fault that it is there for, and says what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from cambist import KeyStore, Rotation, SigningKey, Unavailable
from cambist.keys import EphemeralKey
from cambist.testing import KeyStoreContract, MovableClock
from cambist.testing.contracts.keystore import Opened

LEAD = 300.0


class Sound:
    """Publishes first and signs later, in memory."""

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.rings: dict[str, list[tuple[float, EphemeralKey]]] = {}

    def ring(self, zone_id: str) -> list[tuple[float, EphemeralKey]]:
        return self.rings.setdefault(zone_id, [(0, EphemeralKey.make())])

    def current(self, zone_id: str) -> EphemeralKey:
        return next(key for begins, key in reversed(self.ring(zone_id)) if begins <= self.clock())

    async def signing(self, zone_id: str) -> SigningKey:
        return self.current(zone_id)

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(key.jwk() for _, key in self.ring(zone_id))

    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        begins, key = self.clock() + (0 if compromised else LEAD), EphemeralKey.make()
        self.rings[zone_id] = [*([] if compromised else self.ring(zone_id)), (begins, key)]
        return Rotation(rotated=True, kid=key.kid, signs_from=begins)


class Edits(Sound):
    """Publishes what it should not."""

    def entry(self) -> Mapping[str, Any]:
        return {}

    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        return tuple({**key, **self.entry()} for key in await super().published(zone_id))


class PublishesPrivateKeys(Edits):
    def entry(self) -> Mapping[str, Any]:
        return {"d": "AQAB"}


class PublishesNoUse(Edits):
    def entry(self) -> Mapping[str, Any]:
        return {"use": "enc"}


class PublishesAnotherAlgorithm(Edits):
    def entry(self) -> Mapping[str, Any]:
        return {"alg": "ES384"}


class PublishesOtherKeys(Edits):
    def entry(self) -> Mapping[str, Any]:
        return {name: value for name, value in EphemeralKey.make().jwk().items() if name in {"x", "y"}}


class SignsByHmac(Edits):
    def entry(self) -> Mapping[str, Any]:
        return {"alg": "HS256"}

    async def signing(self, zone_id: str) -> SigningKey:
        return replace(self.current(zone_id), alg="HS256")


class NamesKeysAsItLikes(Sound):
    def ring(self, zone_id: str) -> list[tuple[float, EphemeralKey]]:
        if zone_id not in self.rings:
            self.rings[zone_id] = [(0, replace(EphemeralKey.make(), kid="key-1"))]
        return self.rings[zone_id]


class Talks(Sound):
    def __repr__(self) -> str:
        return "Talks('-----BEGIN PRIVATE KEY-----')"


class SharesKeys(Sound):
    def ring(self, zone_id: str) -> list[tuple[float, EphemeralKey]]:
        return super().ring("the only one")


class RotatesAllZones(Sound):
    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        rotations = [await super(RotatesAllZones, self).rotate(zone, compromised=compromised) for zone in {*self.rings, zone_id}]
        return rotations[-1]


class RotatesByItself(Sound):
    def current(self, zone_id: str) -> EphemeralKey:
        if self.clock() >= MovableClock()() + 60:
            self.rings.pop(zone_id, None)
        return super().current(zone_id)


class MakesManyFirstKeys(Sound):
    async def signing(self, zone_id: str) -> SigningKey:
        if zone_id in self.rings:
            return self.current(zone_id)
        key = EphemeralKey.make()
        await asyncio.sleep(0)
        self.rings[zone_id] = [(0, key)]
        return key


class SignsAtOnce(Sound):
    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        rotation = await super().rotate(zone_id, compromised=compromised)
        return replace(rotation, signs_from=self._at_once(zone_id))

    def _at_once(self, zone_id: str) -> float:
        self.rings[zone_id] = [(0, key) for _, key in self.rings[zone_id]]
        return self.clock()


class SignsSoonerThanItSays(SignsAtOnce):
    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        return replace(await super().rotate(zone_id, compromised=compromised), signs_from=self.clock() + LEAD)


class SignsLaterThanItSays(Sound):
    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        rotation = await super().rotate(zone_id, compromised=compromised)
        self.rings[zone_id] = [(begins + (1 if begins > self.clock() else 0), key) for begins, key in self.rings[zone_id]]
        return rotation


class PublishesLate(Sound):
    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(key.jwk() for begins, key in self.ring(zone_id) if begins <= self.clock())


class ForgetsTheOld(Sound):
    async def published(self, zone_id: str) -> tuple[Mapping[str, Any], ...]:
        return (await super().published(zone_id))[-2:]


class KeepsTheCompromised(Sound):
    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        old = self.ring(zone_id)
        rotation = await super().rotate(zone_id, compromised=compromised)
        self.rings[zone_id] = [*old, self.rings[zone_id][-1]]
        return rotation


class RotatesTheCompromisedLater(Sound):
    async def rotate(self, zone_id: str, *, compromised: bool = False) -> Rotation:
        return await super().rotate(zone_id)


FAULTS: list[tuple[type[Sound], str, str]] = [
    (PublishesOtherKeys, "what_signs_is_published", "does not verify with the published keys"),
    (PublishesNoUse, "a_published_key_says_what_it_is_for", "`use` is `sig`"),
    (PublishesAnotherAlgorithm, "a_published_key_says_what_it_is_for", "has alg 'ES384' and signs 'ES256'"),
    (SignsByHmac, "a_published_key_says_what_it_is_for", "whoever verifies could sign"),
    (NamesKeysAsItLikes, "a_key_is_named_by_its_thumbprint", "RFC 7638"),
    (PublishesPrivateKeys, "nothing_private_is_published", r"private members \['d'\] are published"),
    (Talks, "a_key_does_not_show_in_its_repr", "private key material is in a repr"),
    (SharesKeys, "zones_have_keys_of_their_own", "two zones share a key"),
    (RotatesAllZones, "zones_have_keys_of_their_own", "changed the keys of another"),
    (RotatesByItself, "the_same_key_signs_until_it_is_rotated", "though nobody rotated it"),
    (MakesManyFirstKeys, "of_many_first_uses_at_once_there_is_one_key", "20 sign"),
    (PublishesLate, "a_rotation_says_what_it_does", "not published when `rotate` returns"),
    (SignsAtOnce, "a_rotation_says_what_it_does", "a verifier may keep the keys for 300 s"),
    (SignsSoonerThanItSays, "a_rotation_says_what_it_does", "signs before `signs_from`"),
    (SignsLaterThanItSays, "a_rotation_says_what_it_does", "does not sign at `signs_from`"),
    (SignsAtOnce, "a_verifier_that_keeps_the_keys_never_meets_an_unknown_one", "publish first, sign later"),
    (ForgetsTheOld, "a_key_stays_published_while_a_token_that_it_signed_may_live", "withdrawn while tokens that it signed are alive"),
    (RotatesTheCompromisedLater, "a_compromised_key_is_withdrawn_at_once", "a compromised key still signs"),
    (KeepsTheCompromised, "a_compromised_key_is_withdrawn_at_once", "a compromised key is still published"),
]
RULES = [name for name in vars(KeyStoreContract) if name.startswith("test_") and name != "test_what_it_cannot_reach_is_said"]


def opening(store: Callable[[MovableClock], Any]) -> Opened:
    @asynccontextmanager
    async def opened(clock: MovableClock) -> AsyncIterator[KeyStore]:
        yield store(clock)

    return opened


@pytest.mark.parametrize("rule", RULES)
def test_the_contract_finds_nothing_in_a_sound_store(rule: str) -> None:
    getattr(KeyStoreContract(), rule)(opening(Sound))


@pytest.mark.row("P-vendor")
@pytest.mark.parametrize(("faulty", "rule", "said"), FAULTS, ids=[f"{faulty.__name__}: {said}" for faulty, _, said in FAULTS])
def test_the_contract_catches_a_fault_and_says_what_is_wrong(faulty: type[Sound], rule: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(KeyStoreContract(), f"test_{rule}")(opening(faulty))


def test_every_rule_of_the_contract_is_shown_to_catch_something() -> None:
    assert {f"test_{rule}" for _, rule, _ in FAULTS} == set(RULES) - {"test_it_fills_the_seam"}


def test_the_contract_catches_what_is_no_key_store() -> None:
    with pytest.raises(AssertionError, match="it lacks `signing`; it lacks `published`; it lacks `rotate`"):
        KeyStoreContract().test_it_fills_the_seam(opening(lambda clock: object()))


class Gone(Sound):
    async def refuse(self, zone_id: str, *, compromised: bool = False) -> Any:
        raise Unavailable(what="the keys", cause="nobody answers")

    signing = published = rotate = refuse


@pytest.mark.parametrize("guesses", ["signing", "published", "rotate"])
def test_the_contract_catches_a_key_store_that_guesses(guesses: str, monkeypatch: pytest.MonkeyPatch) -> None:
    KeyStoreContract().test_what_it_cannot_reach_is_said([opening(Gone)])
    monkeypatch.setattr(Gone, guesses, getattr(Sound, guesses))
    with pytest.raises(pytest.fail.Exception, match=f"`{guesses}` answered .* it must not guess"):
        KeyStoreContract().test_what_it_cannot_reach_is_said([opening(Gone)])
