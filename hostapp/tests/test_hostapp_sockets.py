"""The sockets that a supervisor holds: shared among workers, never with a stranger, and never lost with who waits in them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from cambist import DidNotStart
from cambist_hostapp.sockets import Address, Sockets, bound, close, holding

LOCAL = ("127.0.0.1", 0)


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    held = Sockets()
    yield held
    held.close()


def names(sockets: Sockets, address: Address) -> list[tuple[str, int]]:
    return [one.getsockname() for one in sockets.held[address]]


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def test_each_worker_has_a_socket_of_its_own_on_one_port(sockets: Sockets) -> None:
    sockets.hold([LOCAL], 3)
    assert len(set(names(sockets, LOCAL))) == 1
    assert sockets.port(LOCAL) > 0
    each = [sockets.of(worker, 3)[LOCAL] for worker in range(3)]
    assert [len(own) for own in each] == [1, 1, 1]
    assert len({own[0].fileno() for own in each}) == 3


def test_each_is_tcp_by_name_so_that_no_answer_waits_for_an_acknowledgement(sockets: Sockets) -> None:
    sockets.hold([LOCAL], 1)
    assert sockets.held[LOCAL][0].proto == socket.IPPROTO_TCP


def test_fewer_workers_share_out_what_more_had(sockets: Sockets) -> None:
    sockets.hold([LOCAL], 3)
    assert [len(sockets.of(worker, 2)[LOCAL]) for worker in range(2)] == [2, 1]
    assert len(sockets.of(0, 1)[LOCAL]) == 3


def test_more_workers_get_more_and_the_old_ones_stay(sockets: Sockets) -> None:
    sockets.hold([LOCAL], 1)
    first, port = sockets.held[LOCAL][0], sockets.port(LOCAL)
    sockets.hold([LOCAL], 2)
    assert sockets.held[LOCAL][0] is first
    assert [name[1] for name in names(sockets, LOCAL)] == [port, port]


@pytest.mark.parametrize("sharing", [False, True], ids=["alone", "sharing"])
def test_a_port_on_which_somebody_listens_is_never_shared(sharing: bool, sockets: Sockets) -> None:
    """Also when that somebody would share: two services on one port would each get the other's clients."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(sharing))
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()
        with pytest.raises(DidNotStart, match=f"{taken[1]} cannot be listened on: Address already in use"):
            sockets.hold([LOCAL, taken], 2)
    assert sockets.held == {}


def test_an_address_that_is_not_ours_is_said(sockets: Sockets) -> None:
    with pytest.raises(DidNotStart, match=r"192\.0\.2\.1:0 cannot be listened on: Cannot assign"):
        sockets.hold([("192.0.2.1", 0)], 1)


def test_who_waits_for_a_worker_that_does_not_come_back_is_let_go(sockets: Sockets) -> None:
    sockets.hold([LOCAL], 1)
    sockets.listen([LOCAL])
    port = sockets.port(LOCAL)
    with connected(port) as waiting:
        sockets.renew(0, 1)
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)
    assert sockets.port(LOCAL) == port
    with pytest.raises(ConnectionRefusedError):
        connected(port)
    sockets.listen([LOCAL])
    connected(port).close()


def test_a_worker_keeps_its_own_and_closes_the_others(sockets: Sockets) -> None:
    sockets.hold([LOCAL], 2)
    sockets.close_but(sockets.of(1, 2))
    assert [one.fileno() >= 0 for one in sockets.held[LOCAL]] == [False, True]


def test_an_address_that_is_no_longer_wanted_is_closed(sockets: Sockets) -> None:
    other = ("127.0.0.2", 0)
    sockets.hold([LOCAL, other], 1)
    sockets.drop([other])
    assert set(sockets.held) == {other}


def test_a_service_in_one_process_holds_them_for_as_long_as_it_serves() -> None:
    with holding([LOCAL]) as sockets:
        (one,) = sockets.of(0, 1)[LOCAL]
        assert one.fileno() >= 0
    assert one.fileno() < 0


def test_a_port_that_somebody_is_just_leaving_is_waited_for() -> None:
    """The workers of a supervisor that was killed follow it a moment later, and whoever starts it again does so at once."""
    with socket.socket() as leaving:
        leaving.bind(("127.0.0.1", 0))
        leaving.listen()
        address = leaving.getsockname()
        threading.Timer(0.2, leaving.close).start()
        close(bound((address[0], address[1]), 2))
