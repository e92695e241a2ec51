"""A pytest plugin: carries the `row` markers of the tests to where their outcomes are counted, also from the workers of xdist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import rows
from .rows import Outcome, Proof

PROPERTY = "row"
"""The name under which a marker travels in a report's user properties: the only thing that xdist carries to the controller."""
UNKNOWN = "unknown rows"
"""The name under which a worker of xdist tells of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("rows").addoption("--rows", metavar="PAGE", help="say last how each promise stands, and write it to this page")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Rows(config), "cambist-rows")


class Rows:
    """Marks while tests are collected, counts while they report, tells when all is done."""

    def __init__(self, config: pytest.Config) -> None:
        self.sentences = rows.expected(config.rootpath / "tests" / "rows.toml")
        self.proofs: dict[str, dict[tuple[str, str | None], Proof]] = {}
        self.unknown: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Raises UsageError for ids that nobody expects: a proof that counts nowhere is a mistake that must not sleep."""
        for item in items:
            for name, real in marks(item):
                item.user_properties.append((PROPERTY, [name, real]))
                if name not in self.sentences:
                    self.unknown.append(f"{name!r} ({item.nodeid})")
        if self.unknown and hasattr(config, "workeroutput"):
            config.workeroutput[UNKNOWN] = self.unknown  # an error raised in a worker would reach nobody
            items.clear()
        elif self.unknown:
            raise pytest.UsageError(self._complaint())

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.unknown = getattr(node, "workeroutput", {}).get(UNKNOWN, self.unknown)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.unknown and exitstatus != pytest.ExitCode.USAGE_ERROR and not hasattr(session.config, "workeroutput"):
            pytest.exit(self._complaint(), returncode=pytest.ExitCode.USAGE_ERROR)

    def _complaint(self) -> str:
        return "rows that are not in tests/rows.toml: " + ", ".join(self.unknown)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        carried = [value for name, value in report.user_properties if name == PROPERTY]
        outcome = outcome_of(report)
        if not carried or outcome is None:
            return
        known = self.proofs.setdefault(report.nodeid, {})
        for name, real in _pairs(carried):
            before = known.get((name, real))
            if before is None or before.outcome == "passed":  # what fails in the end, in teardown, has failed
                known[name, real] = Proof(name, real, outcome)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """After pytest's own last line, because the JSON is to be the last one."""
        target = config.getoption("--rows")
        if target is None or self.unknown or hasattr(config, "workeroutput"):
            return
        found = rows.standings(self.sentences, (test.values() for test in self.proofs.values()))
        Path(config.rootpath, target).write_text(rows.page(found, self.sentences), "utf-8")
        for line in rows.lines(found):
            print(line, flush=True)


def marks(item: pytest.Item) -> Iterator[tuple[str, str | None]]:
    """Each row that a test names. Its real part counts only where the test requested the fixture of that name."""
    requested: list[str] = getattr(item, "fixturenames", [])
    for mark in item.iter_markers("row"):
        name, real = _arguments(*mark.args, **mark.kwargs)
        yield name, real if real in requested else None


def _arguments(id: str, real: str | None = None) -> tuple[str, str | None]:  # noqa: A002 - the marker's own argument has this name
    return id, real


def outcome_of(report: pytest.TestReport) -> Outcome | None:
    """What one phase of a test says of it; a set-up or teardown that went well says nothing."""
    if report.failed:
        return "failed"
    if report.skipped:
        return "skipped"
    return "passed" if report.when == "call" else None


def _pairs(carried: list[Any]) -> Iterator[tuple[str, str | None]]:
    for name, real in carried:
        yield str(name), real
