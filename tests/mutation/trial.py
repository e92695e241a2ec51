"""A pytest plugin: collects the tests once, learns what each of them reaches, and runs them against one mutant after the other."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from .forked import Tell, forked
from .live import Living, Unpatchable
from .mutant import Mutant
from .reach import Reach

KILLED, ALIVE, UNREACHED, STILLBORN, LATE = "killed", "alive", "unreached", "stillborn", "killed by the time limit"
LIMIT = 20.0
"""Seconds that a mutant has beside three times what its tests took without it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One test, as it went on the program as it is."""

    index: int
    took: float
    lines: frozenset[int]


class Trial:
    """Tries the mutants that fit into live functions; `rest` are those that do not, for an import of their own."""

    def __init__(self, source: str, filename: str, mutants: Sequence[Mutant], judge: Callable[[Mutant, str, str], None]) -> None:
        self._source, self._filename, self._mutants, self._judge = source, filename, mutants, judge
        self.rest: list[Mutant] = []
        self.broken: list[str] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        told = forked(lambda tell: tell(self._reached(session.items)), limit=3600)
        assert told is not None, "the tests did not end, or ended the process"
        runs = [Run(index, took, frozenset(lines)) for index, (passed, took, lines) in enumerate(told) if passed]
        self.broken = [item.nodeid for item, (passed, *_) in zip(session.items, told, strict=True) if not passed]
        living = Living(self._source, self._filename)
        gc.freeze()  # so that no child looks through all of this, and copies it by that
        for mutant in self._mutants:
            self._try(
                living, session, mutant, sorted((run for run in runs if not run.lines.isdisjoint(mutant.lines)), key=lambda run: run.took)
            )
        return True

    def _reached(self, items: Sequence[pytest.Item]) -> list[tuple[bool, float, list[int]]]:
        reach, verdict = Reach(self._filename), Verdict()
        told = []
        items[0].config.pluginmanager.register(verdict)
        for item, following in zip(items, [*items[1:], None], strict=True):
            verdict.failed = ""
            with reach.watching():
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            told.append((not verdict.failed, reach.took, sorted(reach.lines)))
        return told

    def _try(self, living: Living, session: pytest.Session, mutant: Mutant, runs: Sequence[Run]) -> None:
        if not runs:
            self._judge(mutant, UNREACHED, "")
            return
        items = [session.items[run.index] for run in runs]

        def work(tell: Tell) -> None:
            try:
                living.patch(mutant)
            except Unpatchable:
                tell("unpatchable")
            run_until_killed(items, tell)

        match forked(work, LIMIT + 3 * sum(run.took for run in runs)):
            case None:
                self._judge(mutant, LATE, "")
            case "unpatchable":
                self.rest.append(mutant)
            case (outcome, by):
                self._judge(mutant, outcome, by)


def run_until_killed(items: Sequence[pytest.Item], tell: Tell) -> None:
    verdict = Verdict(tell)
    items[0].config.pluginmanager.register(verdict)
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    tell((ALIVE, ""))


class Verdict:
    """Whether a test failed, and whether it did so only because the change makes no program at all."""

    def __init__(self, tell: Tell | None = None) -> None:
        self._tell, self.failed = tell, ""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
        outcome = yield
        report = outcome.get_result()
        if report.failed:
            self.failed = STILLBORN if call.excinfo is not None and _is_no_call(call.excinfo.value) else KILLED
            if self._tell is not None:
                self._tell((self.failed, item.nodeid))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and self._tell is not None:
            self._tell((STILLBORN if "required" in report.longreprtext and "TypeError" in report.longreprtext else KILLED, report.nodeid))


def _is_no_call(error: BaseException) -> bool:
    """A forgotten argument that must be given is seen by everybody at once, and proves nothing about tests."""
    return isinstance(error, TypeError) and "missing" in str(error) and "required" in str(error)


def arguments(files: Sequence[str], scratch: str) -> list[str]:
    # Without rewritten asserts, because pytest's own import hook would come before ours, and read the file.
    quiet = ["-q", "-x", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "--assert=plain"]
    return [*quiet, "--basetemp", f"{scratch}/pytest", *files]
