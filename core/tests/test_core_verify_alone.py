"""What APIs and applications import needs no part of a server."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cambist.client
import cambist.verify

PARTS = ("argon2", "authlib", "hypercorn", "pluggy", "prometheus_client", "quart", "uvicorn", "werkzeug", "sqlite3", "importlib_metadata")
PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {parts!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import {module} as module
assert [getattr(module, name) for name in module.__all__]
{then}
"""
USED = {
    "cambist.verify": "module.Verifier(issuer='https://sts.example.test', audience='x')",
    "cambist.client": "module.Client('https://sts.example.test').close()",
}


@pytest.mark.parametrize("module", sorted(USED))
def test_it_is_imported_and_used_where_no_part_of_a_server_is_installed(module: str) -> None:
    program = PROGRAM.format(parts=set(PARTS), module=module, then=USED[module])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


async def test_keys_are_found_where_no_part_of_a_server_is_installed() -> None:
    then = """
import asyncio, httpx
http = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(404)))
verifier = module.Verifier(issuer="https://sts.example.test", audience="x", http=http)
token = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL3N0cy5leGFtcGxlLnRlc3QifQ.AAAA"
try:
    asyncio.run(verifier.verify(token))
except module.KeysUnavailable:
    print("asked")
"""
    program = PROGRAM.format(parts=set(PARTS), module="cambist.verify", then=then)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "asked\n"), done.stderr


@pytest.mark.parametrize("module", [cambist.verify, cambist.client])
def test_what_is_offered_is_listed_and_says_what_it_is(module: object) -> None:
    names: list[str] = module.__all__  # type: ignore[attr-defined]  # both have it
    assert names == sorted(names)
    assert [name for name in names if not (getattr(module, name).__doc__ or "").strip()] == []
