"""`keys-file` keeps the contract of every key store, with each kind of key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from cambist import KeyStore
from cambist.testing import KeyStoreContract, MovableClock
from cambist_keys_file.algorithm import AlgorithmName
from cambist_keys_file.settings import KeysFileSettings
from cambist_keys_file.store import FileKeys


class Kept:
    """Opens an empty key store in a folder."""

    def __init__(self, folder: Path, algorithm: AlgorithmName) -> None:
        self.folder, self.algorithm = folder, algorithm

    def __call__(self, clock: MovableClock) -> AbstractAsyncContextManager[KeyStore]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[KeyStore]:
            document = {"directory": self.folder / "keys", "kek": "5b" * 32, "algorithm": self.algorithm}
            yield FileKeys.opened(KeysFileSettings.model_validate(document), clock)

        return opened()


@pytest.mark.row("P-keys-file")
class TestES256Keys(KeyStoreContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Kept:
        return Kept(tmp_path, "ES256")


@pytest.mark.row("P-keys-file")
class TestRS256Keys(KeyStoreContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Kept:
        return Kept(tmp_path, "RS256")


@pytest.mark.row("P-keys-file")
class TestEd25519Keys(KeyStoreContract):
    @pytest.fixture
    def opened(self, tmp_path: Path) -> Kept:
        return Kept(tmp_path, "Ed25519")
