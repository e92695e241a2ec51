"""One line for each decision, given to the operating system before the answer leaves."""

from __future__ import annotations

from collections.abc import Iterator

from cambist import Host, Observer, hookimpl

from .settings import AuditLogSettings


@hookimpl
def cambist_observers(host: Host) -> Iterator[Observer]:
    from .audit_log import AuditLog  # noqa: PLC0415 - the encoder loads only where a log is going to be written

    yield AuditLog(host.settings(AuditLogSettings), host.clock, host.store, host.background)
