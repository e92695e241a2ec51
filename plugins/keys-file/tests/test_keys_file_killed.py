"""kill -9 at any moment: what is in the directory is whole, whoever reads meanwhile is never refused, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cambist_keys_file import document
from cambist_keys_file.testing import KEK, kept, kids, signer

pytestmark = pytest.mark.row("P-keys-file")

ROUNDS = 6

WRITING = """
import asyncio, sys, time
from pathlib import Path
from cambist_keys_file.settings import KeysFileSettings
from cambist_keys_file.store import FileKeys
store = FileKeys.opened(KeysFileSettings.model_validate({"directory": Path(sys.argv[1])}), time.time)
async def main():
    while True:
        done = await store.rotate("default", compromised=True)
        print(done.kid, flush=True)
asyncio.run(main())
"""


def writing(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "CAMBIST_KEK": KEK}
    return subprocess.Popen([sys.executable, "-c", WRITING, str(folder / "keys")], env=environment, stdout=subprocess.PIPE, text=True)


async def test_two_writers_are_killed_at_any_moment_and_no_file_is_ever_half_written(tmp_path: Path) -> None:
    reader, looks, told = kept(tmp_path, time.time), 0, 0
    await signer(reader)
    file = tmp_path / "keys" / "default.json"
    for seed in range(ROUNDS):
        writers = [writing(tmp_path), writing(tmp_path)]
        try:
            for writer in writers:
                assert writer.stdout is not None
                await asyncio.to_thread(writer.stdout.readline)
            until = time.monotonic() + random.Random(seed).uniform(0, 0.1)
            while time.monotonic() < until:
                document.read(file.read_bytes(), "default", [bytes.fromhex(KEK)])
                assert len(await kids(reader)) == 1
                looks += 1
                await asyncio.sleep(0)
        finally:
            for writer in writers:
                writer.send_signal(signal.SIGKILL)
        acknowledged = [line for writer in writers for line in writer.communicate()[0].split()]
        told += len(acknowledged)
        ring, _ = document.read(file.read_bytes(), "default", [bytes.fromhex(KEK)])
        assert len(ring.keys) == 1, "what was withdrawn is gone, whoever was killed"
        again = kept(tmp_path, time.time)
        assert len(await (await again.signing("default")).sign(b"message")) == 64
    generation = (await kept(tmp_path, time.time).ring("default")).generation
    assert generation >= told, "what was acknowledged was written"
    assert looks > ROUNDS
    await kept(tmp_path, time.time).rotate("default")
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["default.json", "default.lock"], "what the killed left is gone"
