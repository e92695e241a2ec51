"""Signing keys in files: encrypted at rest, shared by the processes of one machine, rotated so that no verifier is surprised."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Host, KeyStore, hookimpl

from .settings import KeysFileSettings
from .store import FileKeys


@hookimpl
def cambist_keystores(host: Host) -> Iterator[KeyStore]:
    settings = host.settings(KeysFileSettings)
    keys = FileKeys.opened(settings, host.clock, host.horizon)
    if settings.rotate_every is not None:
        host.background("rotation", keys.rotations(settings.rotate_every))
    yield keys
