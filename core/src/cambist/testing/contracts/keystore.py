"""The rules for whoever keeps signing keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry

from ...jwk import ASYMMETRIC, PRIVATE
from ...keys import KeyStore
from ..clock import MovableClock
from .out_of_reach import says_so
from .seam import gaps

Opened = Callable[[MovableClock], AbstractAsyncContextManager[KeyStore]]
PUBLIC = {"kty", "crv", "x", "y", "n", "e"}


class KeyStoreContract:
    """Subclass it, and supply `opened`: a function from a clock to a context manager that gives an empty key store.

    `overlap` is how long a verifier may keep a key set, in seconds, 0 where a store rotates at once; `lifetime` is the
    longest life of a token, in seconds.
    """

    overlap = 300.0
    lifetime = 3600.0

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("supply a function from a clock to an async context manager that opens an empty key store")

    @pytest.fixture
    def cut_off(self) -> Iterable[Opened]:
        """The same for stores that cannot reach their keys, one for each way in which that can be."""
        return ()

    def test_it_fills_the_seam(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            lacking = gaps(keys, KeyStore)
            assert not lacking, f"{lacking} (docs/reference/hooks.md)"

        _with(opened, story)

    def test_what_signs_is_published(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            assert await _verifies(keys, "default"), "a signature does not verify with the published keys (RFC 7515 section 5.2)"

        _with(opened, story)

    def test_a_published_key_says_what_it_is_for(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            key = await keys.signing("default")
            entry = await _entry(keys, "default", key.kid)
            assert entry.get("use") == "sig", "a published key does not say that it signs: `use` is `sig` (RFC 7517 section 4.2)"
            assert entry.get("alg") == key.alg, f"a published key has alg {entry.get('alg')!r} and signs {key.alg!r} (RFC 7517 section 4.4)"
            assert key.alg in ASYMMETRIC, f"{key.alg!r} is no asymmetric signature, so whoever verifies could sign (RFC 8725 section 3.2)"

        _with(opened, story)

    def test_a_key_is_named_by_its_thumbprint(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            kid = (await keys.signing("default")).kid
            public = {name: value for name, value in (await _entry(keys, "default", kid)).items() if name in PUBLIC}
            assert JWKRegistry.import_key(public).thumbprint() == kid, "kid is not the thumbprint of the public key (RFC 7638)"

        _with(opened, story)

    def test_nothing_private_is_published(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            await keys.signing("default")
            await keys.rotate("default")
            for entry in await keys.published("default"):
                private = sorted(PRIVATE & entry.keys())
                assert not private, f"the private members {private} are published (RFC 7517 section 9.2)"

        _with(opened, story)

    def test_a_key_does_not_show_in_its_repr(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            key = await keys.signing("default")
            assert "PRIVATE" not in f"{key!r}{keys!r}", "private key material is in a repr: use field(repr=False) (CWE-532)"

        _with(opened, story)

    def test_zones_have_keys_of_their_own(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            one, other = await keys.signing("one"), await keys.signing("other")
            assert one.kid != other.kid, "two zones share a key: one could issue the other's tokens (SECURITY.md: a zone is a boundary)"
            assert not {one.kid, other.kid} & (_kids(await keys.published("one")) & _kids(await keys.published("other")))
            await keys.rotate("one", compromised=True)
            assert (await keys.signing("other")).kid == other.kid, "a rotation in one zone changed the keys of another (SECURITY.md)"

        _with(opened, story)

    def test_the_same_key_signs_until_it_is_rotated(self, opened: Opened) -> None:
        async def story(keys: KeyStore, clock: MovableClock) -> None:
            before = (await keys.signing("default")).kid
            clock.move(60)
            assert (await keys.signing("default")).kid == before, "another key signs, though nobody rotated it"

        _with(opened, story)

    def test_of_many_first_uses_at_once_there_is_one_key(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            kids = {key.kid for key in await asyncio.gather(*(keys.signing("default") for _ in range(20)))}
            assert len(kids) == 1, f"of 20 first uses at once each may have made a key: {len(kids)} sign (CWE-362)"
            assert kids <= _kids(await keys.published("default"))

        _with(opened, story)

    def test_a_rotation_says_what_it_does(self, opened: Opened) -> None:
        async def story(keys: KeyStore, clock: MovableClock) -> None:
            before = (await keys.signing("default")).kid
            rotation = await keys.rotate("default")
            assert rotation.kid in _kids(await keys.published("default")), "the new key is not published when `rotate` returns"
            wait = rotation.signs_from - clock()
            assert wait >= self.overlap, f"it signs in {wait:g} s, and a verifier may keep the keys for {self.overlap:g} s (`signs_from`)"
            if wait > 1:
                clock.move(wait - 1)
                assert (await keys.signing("default")).kid == before, "the new key signs before `signs_from`"
            clock.now = max(clock.now, rotation.signs_from)
            assert (await keys.signing("default")).kid == rotation.kid, "the new key does not sign at `signs_from`"

        _with(opened, story)

    def test_a_verifier_that_keeps_the_keys_never_meets_an_unknown_one(self, opened: Opened) -> None:
        async def story(keys: KeyStore, clock: MovableClock) -> None:
            await keys.signing("default")
            for _ in range(3):
                known = _kids(await keys.published("default"))
                await keys.rotate("default")
                signs = (await keys.signing("default")).kid
                assert signs in known or not self.overlap, "a new key signs before verifiers can know it: publish first, sign later"
                clock.move(self.overlap * 2)
                assert await _verifies(keys, "default"), "after a rotation a signature does not verify with the published keys"

        _with(opened, story)

    def test_a_key_stays_published_while_a_token_that_it_signed_may_live(self, opened: Opened) -> None:
        async def story(keys: KeyStore, clock: MovableClock) -> None:
            signed: dict[str, float] = {}
            for _ in range(4):
                kid, rotation = (await keys.signing("default")).kid, await keys.rotate("default")
                signed[kid] = rotation.signs_from
                clock.now = max(clock.now + 1, rotation.signs_from)
                published = _kids(await keys.published("default"))
                gone = [kid for kid, last in signed.items() if clock() < last + self.lifetime and kid not in published]
                assert not gone, "a key was withdrawn while tokens that it signed are alive, and they do not verify any more"

        _with(opened, story)

    def test_a_compromised_key_is_withdrawn_at_once(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            before = (await keys.signing("default")).kid
            rotation = await keys.rotate("default", compromised=True)
            assert (await keys.signing("default")).kid == rotation.kid, "a compromised key still signs"
            assert before not in _kids(await keys.published("default")), "a compromised key is still published, and whoever has it signs"
            assert await _verifies(keys, "default"), "the key that took its place does not verify with the published keys"

        _with(opened, story)

    def test_what_it_cannot_reach_is_said(self, cut_off: Iterable[Opened]) -> None:
        """A key store that guesses publishes keys that nobody signs with, or signs with keys that nobody knows."""

        async def story(keys: KeyStore, _: MovableClock) -> None:
            await says_so("signing", keys.signing("default"))
            await says_so("published", keys.published("default"))
            await says_so("rotate", keys.rotate("default"))

        for opened in cut_off:
            _with(opened, story)


async def _entry(keys: KeyStore, zone: str, kid: str) -> dict[str, Any]:
    """The one published key of a name."""
    found = [dict(entry) for entry in await keys.published(zone) if entry["kid"] == kid]
    assert len(found) == 1, f"the key that signs is published {len(found)} times"
    return found[0]


async def _verifies(keys: KeyStore, zone: str) -> bool:
    """Whether what the zone signs now verifies, by a stock JOSE library, with what it publishes."""
    key = await keys.signing(zone)
    algorithm = JWSRegistry.algorithms["Ed25519" if key.alg == "EdDSA" else key.alg]  # one curve, two names (RFC 9864)
    public = JWKRegistry.import_key(await _entry(keys, zone, key.kid))
    return algorithm.verify(b"a message", await key.sign(b"a message"), public)


def _kids(published: Iterable[Any]) -> set[str]:
    return {entry["kid"] for entry in published}


def _with(opened: Opened, story: Callable[[KeyStore, MovableClock], Awaitable[None]]) -> None:
    async def run() -> None:
        clock = MovableClock()
        async with opened(clock) as keys:
            await story(keys, clock)

    asyncio.run(run())
