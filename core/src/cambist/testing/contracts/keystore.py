"""The rules for whoever keeps signing keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import JWKRegistry

from ...keys import KeyStore
from ..clock import MovableClock
from ..forge import compact_of

Opened = Callable[[MovableClock], AbstractAsyncContextManager[KeyStore]]
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}


class KeyStoreContract:
    """Subclass it, and supply `opened`: a function from a clock to a context manager that gives an empty key store.

    `overlap` is how long a verifier may keep a key set, in seconds; 0 where a store rotates at once.
    """

    overlap = 300.0

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("supply a function from a clock to an async context manager that opens an empty key store")

    def test_what_signs_is_published(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            assert await _verifies(keys, "default"), "a signature does not verify with the published keys"

        _with(opened, story)

    def test_a_key_is_named_by_its_thumbprint(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            kid = (await keys.signing("default")).kid
            found = next(entry for entry in await keys.published("default") if entry["kid"] == kid)
            public = {name: value for name, value in found.items() if name in {"kty", "crv", "x", "y", "n", "e"}}
            assert JWKRegistry.import_key(public).thumbprint() == kid, "kid is not the RFC 7638 thumbprint (JO-15)"

        _with(opened, story)

    def test_nothing_private_is_published(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            await keys.signing("default")
            await keys.rotate("default")
            for entry in await keys.published("default"):
                assert not PRIVATE & entry.keys(), "a private member is published (JO-14)"
                assert entry["use"] == "sig"

        _with(opened, story)

    def test_a_key_does_not_show_in_its_repr(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            key = await keys.signing("default")
            assert "PRIVATE" not in f"{key!r}{keys!r}", "private key material is in a repr (security.md K9)"

        _with(opened, story)

    def test_zones_have_keys_of_their_own(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            one, other = await keys.signing("one"), await keys.signing("other")
            assert one.kid != other.kid, "two zones share a key (decision 20)"
            assert {entry["kid"] for entry in await keys.published("one")} & {other.kid} == set()

        _with(opened, story)

    def test_the_same_key_signs_until_it_is_rotated(self, opened: Opened) -> None:
        async def story(keys: KeyStore, clock: MovableClock) -> None:
            before = (await keys.signing("default")).kid
            clock.move(60)
            assert (await keys.signing("default")).kid == before

        _with(opened, story)

    def test_of_many_first_uses_at_once_there_is_one_key(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            kids = {key.kid for key in await asyncio.gather(*(keys.signing("default") for _ in range(20)))}
            assert len(kids) == 1

        _with(opened, story)

    def test_a_verifier_that_keeps_the_keys_never_meets_an_unknown_one(self, opened: Opened) -> None:
        async def story(keys: KeyStore, clock: MovableClock) -> None:
            await keys.signing("default")
            for _ in range(3):
                known = {entry["kid"] for entry in await keys.published("default")}
                await keys.rotate("default")
                assert (await keys.signing("default")).kid in known or not self.overlap, "a new key signs before it was published (JO-16)"
                clock.move(self.overlap * 2)
                assert await _verifies(keys, "default")

        _with(opened, story)

    def test_a_key_that_was_rotated_away_stays_published(self, opened: Opened) -> None:
        async def story(keys: KeyStore, clock: MovableClock) -> None:
            before = (await keys.signing("default")).kid
            rotation = await keys.rotate("default")
            clock.now = max(clock.now, rotation.signs_from + 1)
            assert (await keys.signing("default")).kid == rotation.kid
            assert before in {entry["kid"] for entry in await keys.published("default")}, (
                "living tokens of the old key do not verify any more"
            )

        _with(opened, story)

    def test_a_compromised_key_is_withdrawn_at_once(self, opened: Opened) -> None:
        async def story(keys: KeyStore, _: MovableClock) -> None:
            before = (await keys.signing("default")).kid
            rotation = await keys.rotate("default", compromised=True)
            assert (await keys.signing("default")).kid == rotation.kid
            assert before not in {entry["kid"] for entry in await keys.published("default")}, (
                "a compromised key is still published (decision 21)"
            )

        _with(opened, story)


async def _verifies(keys: KeyStore, zone: str) -> bool:
    """Whether what the zone signs now verifies, by a stock JOSE library, with what it publishes."""
    key = await keys.signing(zone)
    token = await compact_of(key, b"{}")
    found: list[Any] = [dict(entry) for entry in await keys.published(zone) if entry["kid"] == key.kid]
    return len(found) == 1 and jws.deserialize_compact(token, JWKRegistry.import_key(found[0]), [key.alg]).payload == b"{}"


def _with(opened: Opened, story: Callable[[KeyStore, MovableClock], Awaitable[None]]) -> None:
    async def run() -> None:
        clock = MovableClock()
        async with opened(clock) as keys:
            await story(keys, clock)

    asyncio.run(run())
