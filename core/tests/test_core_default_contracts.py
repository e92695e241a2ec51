"""Core's own defaults, in memory, keep the contracts that plugins keep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cambist import KeyStore, Store
from cambist.keys import EphemeralKeys
from cambist.store import MemoryStore, Namespaced
from cambist.testing import KeyStoreContract, MovableClock, StoreContract
from cambist.testing.contracts.keystore import Opened as OpenedKeys
from cambist.testing.contracts.store import Opened as OpenedStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def opened(self) -> OpenedStore:
        @asynccontextmanager
        async def opened(clock: MovableClock) -> AsyncIterator[Store]:
            yield MemoryStore(clock)

        return opened


class TestNamespaced(StoreContract):
    """What a plugin, or a zone, sees of a store is a store."""

    @pytest.fixture
    def opened(self) -> OpenedStore:
        @asynccontextmanager
        async def opened(clock: MovableClock) -> AsyncIterator[Store]:
            yield Namespaced(MemoryStore(clock), "plugin/acme")

        return opened


class TestEphemeralKeys(KeyStoreContract):
    overlap = 0.0

    @pytest.fixture
    def opened(self) -> OpenedKeys:
        @asynccontextmanager
        async def opened(clock: MovableClock) -> AsyncIterator[KeyStore]:
            yield EphemeralKeys(clock)

        return opened
