"""What makes a line a link: the MAC is HMAC-SHA256, a line has one spelling, and each chain has a key of its own."""

from __future__ import annotations

import base64
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import Secret
from cambist_audit_log.names import SegmentName, chain_of_tombstone, new_chain, tombstone
from cambist_audit_log.sealing import MAC_SIZE, ChainKey, End, Keyring, Mac, Sealed, sealed
from cambist_audit_log.settings import node_name

KEY = Mac(b"k" * 32)
BODIES = st.dictionaries(st.text(min_size=1), st.text() | st.integers(), min_size=1).map(
    lambda told: json.dumps({"v": 1, **told}, ensure_ascii=False).encode(errors="replace")
)


@given(key=st.binary(min_size=1, max_size=64), before=st.binary(max_size=60), line=st.binary(max_size=300))
def test_the_mac_is_that_of_the_standard_library(key: bytes, before: bytes, line: bytes) -> None:
    whole = base64.urlsafe_b64encode(hmac.digest(key, before + line, "sha256")).rstrip(b"=")
    assert Mac(key).text(before, line) == whole
    assert len(whole) == MAC_SIZE


@given(bodies=st.lists(BODIES, min_size=1, max_size=6))
def test_lines_follow_each_other_and_stay_the_json_that_they_were(bodies: list[bytes]) -> None:
    end = End()
    for number, body in enumerate(bodies, 1):
        line, after = sealed(body, end, KEY)
        told = Sealed.parse(line)
        assert told is not None
        assert (told.end, told.end.seq) == (after, number)
        assert told.follows(end.mac, KEY)
        assert not told.follows(after.mac, KEY)
        assert not told.follows(end.mac, Mac(b"j" * 32))
        document = json.loads(line)
        members = {**json.loads(body), "seq": document["seq"], "mac": document["mac"]}
        assert document.keys() == members.keys()
        end = after


@given(body=BODIES, data=st.data())
def test_no_byte_of_a_line_can_be_another(body: bytes, data: st.DataObject) -> None:
    line, _ = sealed(body, End(41, b"m" * MAC_SIZE), KEY)
    at, other = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(0, 255))
    changed = line[:at] + bytes([other]) + line[at + 1 :]
    told = Sealed.parse(changed)
    assert (told is not None and told.follows(b"m" * MAC_SIZE, KEY)) is (changed == line)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b'{"seq":0,"v":1,"mac":"%s"}' % (b"A" * 43), b'{"seq":01,"mac":"%s"}' % (b"A" * 43), b"\xff" * 99]
)
def test_what_is_no_line_is_none(line: bytes) -> None:
    assert Sealed.parse(line) is None


def test_each_chain_and_each_kek_has_keys_of_its_own_and_shows_none() -> None:
    ring = Keyring(Secret("5a" * 32), [Secret("6b" * 32)])
    one, other = ring.new("a"), ring.new("b")
    assert len({one.check, other.check, Keyring(Secret("6b" * 32)).new("a").check}) == 3
    assert one.mac.text(b"", b"x") != other.mac.text(b"", b"x")
    former = ring.of("a", Keyring(Secret("6b" * 32)).new("a").check)
    assert former is not None
    assert former.mac.text(b"", b"x") != one.mac.text(b"", b"x")
    assert ring.of("a", "unknown") is None
    assert repr(one) == f"ChainKey(check='{one.check}')"


def test_the_keys_are_derived_as_they_always_were() -> None:
    """Ledgers that were written can be verified for as long as somebody keeps them."""
    key = ChainKey.of(bytes(32), "20270115T120000-00000000000000aa")
    assert (key.check, key.mac.text(b"", b"{}")) == ("13d69557a9f1d05d", b"8XfmbmTwNRVGe63BSmdQy7J14POGWDiogUgArd-jaas")


def test_names_lead_back_to_what_they_name() -> None:
    chain = new_chain(1_800_014_400.0)
    assert chain.startswith("20270115T120000-")
    assert chain != new_chain(1_800_014_400.0)
    for number in (1, 999_999, 1_000_000):
        assert SegmentName.parse(str(SegmentName(chain, number))) == SegmentName(chain, number)
    assert chain_of_tombstone(tombstone(chain)) == chain


@pytest.mark.parametrize(
    "name", ["x", "20270115T120000-00000000000000aa-000000.jsonl", "20270115T120000-00000000000000aa-0000001.jsonl", "cambist.toml"]
)
def test_what_we_would_not_write_is_no_name_of_a_segment(name: str) -> None:
    assert SegmentName.parse(name) is None


@pytest.mark.parametrize(("hostname", "node"), [("sts-1.example.test", "sts-1.example.test"), ("a/b c", "a-b-c"), ("", "localhost")])
def test_a_host_has_a_name_that_the_store_takes(hostname: str, node: str) -> None:
    assert node_name(hostname) == node
