"""What is read from disk: bundles, bare modules, data; bounded, in memory, and never guessed at."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cambist_opa_wasm import archive, rules
from cambist_opa_wasm.broken import Broken
from cambist_opa_wasm.rules import Rules, merged, read
from cambist_opa_wasm.testing import bundle, wasm

MODULE = wasm()
GOOD = {"/policy.wasm": MODULE, "/data.json": b'{"grants":{"a":{"x":1},"b":2}}', "/.manifest": b'{"revision":"r7"}'}


def written(folder: Path, content: bytes, name: str = "bundle.tar.gz") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def found(folder: Path, content: bytes, data: Path | None = None) -> Rules:
    return read(written(folder, content), data)


def cause(folder: Path, content: bytes, data: Path | None = None) -> str:
    with pytest.raises(Broken) as caught:
        found(folder, content, data)
    return caught.value.cause


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for header, content in members:
            tar.addfile(header, io.BytesIO(content))
    return raw.getvalue()


def plain(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    return header, content


def test_a_bundle_gives_module_data_and_revision(tmp_path: Path) -> None:
    read_ = found(tmp_path, bundle(GOOD))
    assert read_.wasm == MODULE
    assert json.loads(read_.data) == {"grants": {"a": {"x": 1}, "b": 2}}
    assert read_.revision == f"r7+{read_.digest[:12]}"


@pytest.mark.parametrize("prefix", ["", "./", "/"])
def test_members_are_found_however_their_paths_begin(tmp_path: Path, prefix: str) -> None:
    read_ = found(tmp_path, bundle({prefix + name.lstrip("/"): content for name, content in GOOD.items()}))
    assert (read_.wasm, read_.revision[:3]) == (MODULE, "r7+")


def test_a_bare_module_has_no_data_and_is_named_by_its_digest(tmp_path: Path) -> None:
    read_ = found(tmp_path, MODULE)
    assert (read_.data, read_.revision) == (b"{}", read_.digest[:12])


def test_data_are_merged_over_the_bundles_object_by_object(tmp_path: Path) -> None:
    data = written(tmp_path, b'{"grants":{"a":{"y":2},"b":{"z":3}},"more":[1]}', "data.json")
    assert json.loads(found(tmp_path, bundle(GOOD), data).data) == {"grants": {"a": {"x": 1, "y": 2}, "b": {"z": 3}}, "more": [1]}


def test_the_revision_changes_with_the_module_and_with_the_data_and_with_nothing_else(tmp_path: Path) -> None:
    first = found(tmp_path, bundle(GOOD))
    assert found(tmp_path, gzip.compress(gzip.decompress(bundle(GOOD)), 1)).digest == first.digest
    assert found(tmp_path, bundle({**GOOD, "/exchange.rego": b"package x"})).digest == first.digest
    assert found(tmp_path, bundle({**GOOD, "/data.json": b"{}"})).digest != first.digest
    assert found(tmp_path, bundle({**GOOD, "/policy.wasm": wasm(pages=3)})).digest != first.digest


documents = st.recursive(
    st.none() | st.integers(0, 3), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=4
)
tables = st.dictionaries(st.sampled_from("abc"), documents)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(tables, tables)
def test_merging_keeps_all_of_the_upper_document_and_loses_nothing_that_it_does_not_name(
    under: dict[str, Any], over: dict[str, Any]
) -> None:
    both = merged(under, over)
    assert merged(both, over) == both
    assert both.keys() == under.keys() | over.keys()
    for name, value in both.items():
        if name not in over:
            assert value == under[name]
        elif isinstance(value, dict) and isinstance(under.get(name), dict):
            assert value == merged(under[name], over[name])
        else:
            assert value == over[name]


def test_large_integers_of_the_data_keep_their_digits(tmp_path: Path) -> None:
    assert (
        b"123456789012345678901234567890" in found(tmp_path, bundle({**GOOD, "/data.json": b'{"n":123456789012345678901234567890}'})).data
    )


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"/data.json": b"{}"}, "holds no policy.wasm: build it with `opa build -t wasm"),
        ({**GOOD, "/.signatures.json": b'{"signatures":["x.y.z"]}'}, "is signed, and signatures are not verified here"),
        ({**GOOD, "/tenants/data.json": b"{}"}, "holds data in tenants/data.json"),
        ({**GOOD, "/data.yaml": b""}, "holds data in data.yaml"),
        ({**GOOD, "/data.json": b"[]"}, "data.json: is not a JSON object"),
        ({**GOOD, "/data.json": b'{"a":1,"a":2}'}, "data.json: a member name is repeated"),
        ({**GOOD, "/data.json": b'{"a":NaN}'}, "data.json: NaN is not JSON"),
        ({**GOOD, "/data.json": b'{"a":1e999}'}, "data.json: a number is out of range"),
        ({**GOOD, "/data.json": b'{"a":' + b"[" * 70 + b"]" * 70 + b"}"}, "data.json: nested too deeply"),
        ({**GOOD, "/.manifest": b"{"}, ".manifest: not one JSON value"),
        ({**GOOD, "/.manifest": b'{"revision":7}'}, "revision is not a short line of text"),
        ({**GOOD, "/.manifest": b'{"revision":"a\\nb"}'}, "revision is not a short line of text"),
        ({**GOOD, "/policy.wasm": b"(module)"}, "neither a bundle (.tar.gz) nor a WebAssembly module"),
    ],
)
def test_a_bundle_that_is_not_whole_is_refused(tmp_path: Path, members: dict[str, bytes], says: str) -> None:
    assert says in cause(tmp_path, bundle(members))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "neither a bundle", id="empty"),
        pytest.param(b"(module (memory 1))", "neither a bundle", id="bad-magic: the text format, which wasmtime would assemble"),
        pytest.param(b"\x7fELF", "neither a bundle", id="bad-magic"),
        pytest.param(bundle(GOOD)[:-10], "half-written", id="cut off"),
        pytest.param(bundle(GOOD) + b"x", "something stands behind", id="trailing byte"),
        pytest.param(bundle(GOOD) * 2, "something stands behind", id="two archives"),
        pytest.param(gzip.compress(b"x" * 1024), "not a readable tar", id="no tar"),
        pytest.param(b"\x1f\x8b\x07\x00garbage", "not a readable gzip", id="no gzip"),
        pytest.param(packed(plain("/policy.wasm", MODULE), plain("policy.wasm", MODULE)), "holds policy.wasm twice", id="twice"),
    ],
)
def test_a_file_that_is_no_bundle_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in cause(tmp_path, content)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_member_that_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("/policy.wasm")
    header.type, header.linkname = kind, "/etc/passwd"
    assert "is not a plain file" in cause(tmp_path, packed((header, b"")))


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, bundle({**GOOD, "../../escaped": b"x", "/absolute": b"x"}))
    work = tmp_path / "a" / "b"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    read(path, None)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_a_gzip_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    assert "when unpacked" in cause(tmp_path, gzip.compress(bytes(archive.MAX_UNPACKED + 1024), 9))


def test_a_header_that_makes_tarfile_go_in_circles_is_refused(tmp_path: Path) -> None:
    """CVE-2025-8194: a negative size, in base 256, moves the reader back to where it was."""
    before = tarfile.TarInfo("before").tobuf(tarfile.GNU_FORMAT)
    header = bytearray(tarfile.TarInfo("loop").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert "not a readable tar" in cause(tmp_path, gzip.compress(before + bytes(header) + bytes(1024)))


def test_an_archive_with_no_end_of_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_READS", 50)
    assert "more members than a bundle has" in cause(tmp_path, bundle({f"f{n}": b"" for n in range(100)}))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_FILE", 100)
    assert "larger than 100 bytes" in cause(tmp_path, MODULE)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, says in {"pipe": "is not a file", ".": "is not a file", "missing": "No such file"}.items():
        with pytest.raises(Broken) as caught:
            read(tmp_path / name, None)
        assert says in caught.value.cause


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda b: b"\x1f\x8b" + b) | st.binary(max_size=600).map(gzip.compress))
def test_bytes_of_any_kind_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(Broken):
        assert archive.members(content).keys() <= set(archive.WANTED)
