"""`keys-file` keeps the contract of every key store, with each of its algorithms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cambist import KeyStore
from cambist.testing import KeyStoreContract, MovableClock
from cambist.testing.contracts.keystore import Opened
from cambist_keys_file.testing import kept


class KeysFileContract(KeyStoreContract):
    """What all of them have in common."""

    algorithm = "ES256"

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Opened:
        @asynccontextmanager
        async def opened(clock: MovableClock) -> AsyncIterator[KeyStore]:
            yield kept(tmp_path, clock, algorithm=self.algorithm)

        return opened


@pytest.mark.row("P-keys-file")
class TestKeysFile(KeysFileContract):
    @pytest.fixture
    def cut_off(self, tmp_path: Path) -> Iterable[Opened]:
        @asynccontextmanager
        async def damaged(clock: MovableClock) -> AsyncIterator[KeyStore]:
            keys = kept(tmp_path, clock)
            await keys.signing("default")
            for file in (tmp_path / "keys").iterdir():
                file.write_bytes(b"{}")
            clock.move(2)
            yield keys

        @asynccontextmanager
        async def gone(clock: MovableClock) -> AsyncIterator[KeyStore]:
            keys = kept(tmp_path / "mount", clock)
            await keys.signing("default")
            (tmp_path / "mount" / "keys").rename(tmp_path / "elsewhere")
            clock.move(2)
            yield keys

        (tmp_path / "mount").mkdir()
        return (damaged, gone)


@pytest.mark.row("P-keys-file")
class TestKeysFileWithRSA(KeysFileContract):
    algorithm = "PS256"


@pytest.mark.row("P-keys-file")
class TestKeysFileWithEdwardsCurves(KeysFileContract):
    algorithm = "EdDSA"
