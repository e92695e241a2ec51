"""The sockets that a supervisor holds: shared by all workers, never with a stranger, and never lost with who waits in them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from cambist import DidNotStart
from cambist_hostapp.sockets import Sockets, bound, holding

LOCAL = ("127.0.0.1", 0)


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    held = Sockets()
    yield held
    held.close()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def test_all_workers_have_the_same_one(sockets: Sockets) -> None:
    sockets.hold([LOCAL])
    assert sockets.port(LOCAL) > 0
    assert sockets.of([LOCAL]) == {LOCAL: sockets.held[LOCAL]}


def test_one_that_is_held_already_stays_when_the_settings_are_read_anew(sockets: Sockets) -> None:
    other = ("127.0.0.2", 0)
    sockets.hold([LOCAL])
    first, port = sockets.held[LOCAL], sockets.port(LOCAL)
    sockets.hold([LOCAL, other])
    assert (sockets.held[LOCAL], sockets.port(LOCAL)) == (first, port)
    assert set(sockets.held) == {LOCAL, other}


def test_each_is_tcp_by_name_so_that_no_answer_waits_for_an_acknowledgement(sockets: Sockets) -> None:
    sockets.hold([LOCAL])
    assert sockets.held[LOCAL].proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("sharing", [False, True], ids=["alone", "sharing"])
def test_a_port_on_which_somebody_listens_is_never_shared(sharing: bool, sockets: Sockets) -> None:
    """Also when that somebody would share: two services on one port would each get the other's clients."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(sharing))
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()
        with pytest.raises(DidNotStart, match=f"{taken[1]} cannot be listened on: Address already in use"):
            sockets.hold([LOCAL, taken])
    assert sockets.held == {}


def test_an_address_that_is_not_ours_is_said(sockets: Sockets) -> None:
    with pytest.raises(DidNotStart, match=r"192\.0\.2\.1:0 cannot be listened on: Cannot assign"):
        sockets.hold([("192.0.2.1", 0)])


def test_of_two_services_that_begin_at_once_the_second_does_not_listen(sockets: Sockets) -> None:
    """Both are bound, for nobody listened yet; neither ever gets the other's clients."""
    sockets.hold([LOCAL])
    address = ("127.0.0.1", sockets.port(LOCAL))
    others = Sockets()
    others.hold([address])
    try:
        sockets.listen([LOCAL])
        with pytest.raises(DidNotStart, match=f"{address[1]} cannot be listened on: Address already in use"):
            others.listen([address])
    finally:
        others.close()


def test_a_port_whose_connections_are_still_finished_is_free_once_nobody_listens(sockets: Sockets) -> None:
    with socket.create_server(("127.0.0.1", 0)) as leaving:
        address = leaving.getsockname()
        client = connected(address[1])
        accepted, _ = leaving.accept()
    with client, accepted:
        sockets.hold([address])
        sockets.listen([address])
        connected(address[1]).close()
        accepted.sendall(b"still here")
        assert client.recv(10) == b"still here"


def test_who_waits_is_let_go_only_when_nobody_has_the_socket_any_more(sockets: Sockets) -> None:
    sockets.hold([LOCAL])
    sockets.listen([LOCAL])
    worker = sockets.held[LOCAL].dup()
    with connected(sockets.port(LOCAL)) as waiting:
        worker.close()
        held, _ = sockets.held[LOCAL].accept()
        held.close()
        assert waiting.recv(1) == b""
    with connected(sockets.port(LOCAL)) as waiting:
        sockets.close()
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)


def test_an_address_that_is_no_longer_wanted_is_closed(sockets: Sockets) -> None:
    other = ("127.0.0.2", 0)
    sockets.hold([LOCAL, other])
    sockets.drop([other])
    assert set(sockets.held) == {other}


def test_a_service_in_one_process_listens_for_as_long_as_it_holds_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = ("127.0.0.1", int(probe.getsockname()[1]))
    with holding([address]) as entrances:
        assert set(entrances) == {address}
        connected(address[1]).close()
    with pytest.raises(ConnectionRefusedError):
        connected(address[1])


def test_a_port_that_somebody_is_just_leaving_is_waited_for() -> None:
    """The workers of a supervisor that was killed follow it a moment later, and whoever starts it again does so at once."""
    with socket.socket() as leaving:
        leaving.bind(("127.0.0.1", 0))
        leaving.listen()
        address = leaving.getsockname()
        threading.Timer(0.2, leaving.close).start()
        bound(address).close()
