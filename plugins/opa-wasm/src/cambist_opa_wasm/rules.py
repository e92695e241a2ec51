"""The rules as they lie on disk: a module, its data, and the name that both have together."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cambist.strictjson import NotStrict, loads

from .archive import members
from .broken import Broken

MAX_FILE = 16 * 1024 * 1024
"""The largest bundle or data file, in bytes."""
MAX_DEPTH = 64
_WASM = b"\0asm"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decides. `data` is a JSON document; `digest` is of module and data, `revision` is what people call them."""

    wasm: bytes
    data: bytes
    digest: str
    revision: str


def read(bundle: Path, data: Path | None) -> Rules:
    """Read the rules. Raises Broken."""
    raw = content(bundle)
    packed = members(raw) if raw.startswith(_GZIP) else {"policy.wasm": raw}
    wasm = packed.get("policy.wasm")
    if wasm is None:
        raise Broken(f"{bundle}: holds no policy.wasm: build it with `opa build -t wasm -e …`")
    if not wasm.startswith(_WASM):
        # Also because wasmtime would take anything else for the text format, and assemble it.
        raise Broken(f"{bundle}: is neither a bundle (.tar.gz) nor a WebAssembly module")
    document = _table(packed.get("data.json", b"{}"), f"{bundle}: data.json")
    if data is not None:
        document = merged(document, _table(content(data), str(data)))
    return _named(wasm, document, _table(packed.get(".manifest", b"{}"), f"{bundle}: .manifest").get("revision", ""))


def content(path: Path) -> bytes:
    """A plain file of bearable size. Raises Broken."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would let us wait for ever
            raise Broken(f"{path}: is not a file")
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        raise Broken(f"{path}: {error.strerror or type(error).__name__}") from error
    if len(raw) > MAX_FILE:
        raise Broken(f"{path}: larger than {MAX_FILE} bytes")
    return raw


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    """`over` on top of `under`, object by object; anything else is replaced whole."""
    both = {name: merged(under[name], value) for name, value in over.items() if _tables(under.get(name), value)}
    return {**under, **over, **both}


def _tables(one: object, other: object) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def _table(raw: bytes, where: str) -> Mapping[str, Any]:
    try:
        found = loads(raw, max_depth=MAX_DEPTH)
    except NotStrict as error:
        raise Broken(f"{where}: {error}") from error
    if not isinstance(found, dict):
        raise Broken(f"{where}: is not a JSON object")
    return found


def _named(wasm: bytes, document: Mapping[str, Any], revision: object) -> Rules:
    if not isinstance(revision, str) or len(revision) > 256 or not revision.isprintable():
        raise Broken("the manifest's revision is not a short line of text")
    data = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    digest = sha256(sha256(wasm).digest() + sha256(data).digest()).hexdigest()
    return Rules(wasm=wasm, data=data, digest=digest, revision="+".join(filter(None, (revision, digest[:12]))))
