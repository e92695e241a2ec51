"""Who listens where, and what is never served in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambist import DidNotStart
from cambist.settings import Listen
from cambist_hostapp.listeners import WITHOUT_TLS, Listener, listeners

CERTIFICATE = {"certificate": Path("tls.pem"), "private_key": Path("tls.key")}


def test_without_a_certificate_there_is_one_plain_listener_on_this_machine() -> None:
    assert listeners(Listen()) == (Listener(8693, tls=False),)


def test_with_a_certificate_the_plain_port_serves_health_and_keys_only() -> None:
    secure, plain = listeners(Listen(host="0.0.0.0", **CERTIFICATE))
    assert secure == Listener(8694, tls=True)
    assert plain == Listener(8693, tls=False, only=WITHOUT_TLS)
    assert frozenset({"/health", "/.well-known/jwks.json"}) == WITHOUT_TLS


def test_plain_http_on_an_address_that_others_reach_keeps_it_shut() -> None:
    with pytest.raises(DidNotStart, match="can be reached by others"):
        listeners(Listen(host="0.0.0.0"))


def test_plain_http_for_others_has_to_be_asked_for() -> None:
    assert listeners(Listen(host="0.0.0.0", insecure=True)) == (Listener(8693, tls=False),)


@pytest.mark.parametrize("half", [{"certificate": Path("tls.pem")}, {"private_key": Path("tls.key")}])
def test_half_a_certificate_keeps_it_shut(half: dict[str, Path]) -> None:
    with pytest.raises(DidNotStart, match="belong together"):
        listeners(Listen(**half))


def test_client_certificates_without_tls_keep_it_shut() -> None:
    with pytest.raises(DidNotStart, match="need TLS"):
        listeners(Listen(client_ca=Path("ca.pem")))


def test_a_listener_names_its_url_also_for_ipv6() -> None:
    assert Listener(8694, tls=True).url(Listen(host="::1")) == "https://[::1]:8694"
    assert Listener(8693, tls=False).url(Listen()) == "http://127.0.0.1:8693"
