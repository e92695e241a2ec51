"""Who serves for a test: whatever is installed for it, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import importlib_metadata
import pytest

from cambist.testing import serve
from cambist.testing.serving import GROUP, SharedClock


@dataclass(frozen=True)
class Entry:
    name: str
    loaded: Any

    def load(self) -> Any:
        return self.loaded


def installed(monkeypatch: pytest.MonkeyPatch, *entries: Entry) -> None:
    def entry_points(*, group: str) -> list[Entry]:
        assert group == GROUP
        return list(entries)

    monkeypatch.setattr(importlib_metadata, "entry_points", entry_points)


def test_where_nothing_can_host_a_service_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="install cambist-hostapp"), serve({}):
        pass


def test_the_first_by_name_hosts_and_is_told_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    @contextmanager
    def hosting(settings: Mapping[str, Any], **how: Any) -> Iterator[str]:
        told.append((settings, how))
        yield "a service"

    installed(monkeypatch, Entry("b", None), Entry("a", hosting))
    clock = SharedClock()
    with serve({"issuer": "https://sts.test"}, clock=clock, workers=2, server="uvicorn", modules={"m": "p.m"}) as served:
        assert str(served) == "a service"
    assert told == [({"issuer": "https://sts.test"}, {"clock": clock, "workers": 2, "server": "uvicorn", "modules": {"m": "p.m"}})]
