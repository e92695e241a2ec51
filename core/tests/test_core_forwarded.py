"""Whose request it is where proxies stand in front: what they say is believed, and what a stranger says through them is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambist import DidNotStart
from cambist.listen import Listen
from cambist.settings import parse
from cambist.web.forwarded import Forwarded

Header = Literal["x-forwarded-for", "forwarded"]
PROXIES = ("127.0.0.1", "10.0.0.0/8", "2001:db8:aa::/48")


async def seen(peer: str | None, said: Sequence[str], header: Header = "x-forwarded-for", *, by: str | None = None) -> str:
    """The client that the application behind sees, when these header lines arrive from this peer."""
    found: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["client"][0])

    listen = Listen.model_validate({"proxies": PROXIES, "forwarded_for": header})
    headers = [((by or header).encode(), line.encode("latin-1")) for line in said]
    scope = {"type": "http", "client": None if peer is None else (peer, 1), "headers": headers}
    await Forwarded(inner, listen)(scope, _nothing, _nothing)
    return str(found[0])


async def _nothing(*_: Any) -> Any:
    raise AssertionError("nothing is received and nothing sent")


@pytest.mark.parametrize(
    ("peer", "said", "client"),
    [
        ("127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),  # what the client itself sent stands first
        ("127.0.0.1", ["198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7", "10.1.2.3"], "198.51.100.7"),  # a line for each proxy
        ("127.0.0.1", ["10.9.9.9, 10.1.2.3"], "10.9.9.9"),  # nothing but proxies: the first of them asks
        ("127.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:127.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("2001:db8:aa::1", ["198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7, unknown, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["198.51.100.7,"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7, 198.51.100.300"], "127.0.0.1"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("192.168.0.1", ["203.0.113.9"], "192.168.0.1"),
        ("testclient", ["203.0.113.9"], "testclient"),
        (None, ["203.0.113.9"], ""),
    ],
)
async def test_the_client_is_the_last_address_before_our_proxies(peer: str | None, said: list[str], client: str) -> None:
    assert await seen(peer, said) == client


@pytest.mark.parametrize(
    ("said", "client"),
    [
        (["for=198.51.100.7"], "198.51.100.7"),
        (["for=203.0.113.9, For=198.51.100.7;proto=https;by=10.1.2.3"], "198.51.100.7"),
        (['for="[2001:db8::7]:4711";proto=https'], "2001:db8::7"),
        (["for=198.51.100.7", 'proto=https ; for="10.1.2.3:80"'], "198.51.100.7"),
        (['for="198.51.100\\.7"'], "198.51.100.7"),
        (['for=198.51.100.7;host="for=203.0.113.9, for=203.0.113.9"'], "198.51.100.7"),
        (["for=_hidden"], "127.0.0.1"),
        (["for=198.51.100.7, for=unknown"], "127.0.0.1"),
        (["for=198.51.100.7, proto=https"], "127.0.0.1"),
        (["for=198.51.100.7;for=203.0.113.9"], "127.0.0.1"),
        (['for="203.0.113.9, for=198.51.100.7'], "127.0.0.1"),
        (['for=", for="[2001:db8::7]"'], "127.0.0.1"),
        (["198.51.100.7"], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
async def test_the_same_is_read_from_the_header_of_rfc_7239(said: list[str], client: str) -> None:
    assert await seen("127.0.0.1", said, "forwarded") == client


@pytest.mark.parametrize(("header", "by"), [("x-forwarded-for", "forwarded"), ("forwarded", "x-forwarded-for"), ("forwarded", "x-real-ip")])
async def test_a_header_that_the_proxy_does_not_write_is_not_read(header: Header, by: str) -> None:
    assert await seen("127.0.0.1", ["for=203.0.113.9" if by == "forwarded" else "203.0.113.9"], header, by=by) == "127.0.0.1"


@given(st.lists(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40), max_size=4))
async def test_whatever_a_stranger_sends_first_its_address_is_what_our_proxy_saw(sent: list[str]) -> None:
    assert await seen("127.0.0.1", [*sent, "198.51.100.7"]) == "198.51.100.7"
    assert await seen("127.0.0.1", [*sent, "for=198.51.100.7"], "forwarded") in ("198.51.100.7", "127.0.0.1")
    assert await seen("198.51.100.7", sent) == "198.51.100.7"


async def test_a_chain_without_end_is_not_followed() -> None:
    assert await seen("127.0.0.1", ["198.51.100.7" + ", 10.1.2.3" * 20]) == "10.1.2.3"


async def test_what_is_no_request_is_left_as_it_is() -> None:
    found: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope)

    await Forwarded(inner, Listen())({"type": "lifespan"}, _nothing, _nothing)
    assert found == [{"type": "lifespan"}]


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "proxy.example.com", "10.0.0.1/8"])
def test_proxies_are_networks_and_never_everybody(network: str) -> None:
    with pytest.raises(DidNotStart) as told:
        parse({"issuer": "https://sts.example.com", "listen": {"proxies": [network]}})
    [problem] = told.value.problems
    assert problem.startswith("listen.proxies")
