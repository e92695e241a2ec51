"""Limits by address, where requests come through proxies: by the client's address, which only a listed proxy can say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from habits.raw import SERVERS, Raw, exchange, raw_service

HERE, THERE = "127.0.0.1", "127.0.0.2"
LIMITS = {"address_rate": 0.05, "address_burst": 3}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Any:
    return request.param


def statuses(raw: Raw, header: bytes, address: str = HERE) -> list[int]:
    return [raw.ask(exchange(header), until=1, address=address).answers[0].status for _ in range(4)]


def test_without_proxies_no_header_says_who_asks(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, LIMITS) as raw:
        found = [raw.ask(exchange(b"X-Forwarded-For: 198.51.100.%d" % n), until=1).answers[0].status for n in range(4)]
        assert found == [200, 200, 200, 429]


def test_clients_of_a_listed_proxy_are_told_apart(server: Any, tmp_path: Path) -> None:
    with raw_service(tmp_path, server, LIMITS, proxies=[HERE]) as raw:
        assert statuses(raw, b"X-Forwarded-For: 198.51.100.7") == [200, 200, 200, 429]
        assert statuses(raw, b"X-Forwarded-For: 203.0.113.9, 198.51.100.7") == [429] * 4  # what it sent itself does not help
        assert statuses(raw, b"X-Forwarded-For: 198.51.100.8") == [200, 200, 200, 429]
        assert statuses(raw, b"X-Forwarded-For: 198.51.100.9", THERE) == [200, 200, 200, 429]
        assert statuses(raw, b"X-Forwarded-For: 198.51.100.10", THERE) == [429] * 4  # that is no proxy of ours
