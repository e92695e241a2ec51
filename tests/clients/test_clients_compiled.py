"""Clients of Go and Java, unmodified: each gets a token, uses it at an API behind `cambist.verify`, and shows its user our refusal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .known import KNOWN
from .program import Program, go, java, told
from .stage import WORKLOAD, Stage, stage

pytestmark = pytest.mark.xdist_group("clients-compiled")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("clients")) as set_up:
        yield set_up


@pytest.fixture
def externalaccount(served: Stage) -> Program:
    return go(served)


@pytest.fixture
def spring(served: Stage) -> Program:
    return java(served)


@pytest.mark.row("C-go-externalaccount", real="externalaccount")
@pytest.mark.row("F-exchange", real="externalaccount")
def test_go_exchanges_the_token_of_a_file(served: Stage, externalaccount: Program) -> None:
    assert externalaccount.runs(served).seen == {"subject": WORKLOAD, "client": WORKLOAD, "scope": ["read"], "actors": []}


@pytest.mark.row("C-go-externalaccount", real="externalaccount")
def test_go_shows_our_refusal(served: Stage, externalaccount: Program) -> None:
    assert told(externalaccount, served) == KNOWN["externalaccount"].shows


@pytest.mark.row("C-spring", real="spring")
@pytest.mark.row("F-exchange", real="spring")
@pytest.mark.row("F-application", real="spring")
def test_spring_security_exchanges_the_token_of_its_caller(served: Stage, spring: Program) -> None:
    assert spring.runs(served).seen == {"subject": WORKLOAD, "client": "shop", "scope": ["read"], "actors": []}


@pytest.mark.row("C-spring", real="spring")
def test_spring_security_shows_our_refusal(served: Stage, spring: Program) -> None:
    assert told(spring, served) == KNOWN["spring"].shows
