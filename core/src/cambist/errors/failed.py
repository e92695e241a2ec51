"""It could not be judged: a dependency is down, or something is broken."""

from __future__ import annotations

from .refusal import Refusal


class Unavailable(Refusal):
    """Something that is needed to decide is not available, so nothing was issued."""

    reason = "temporarily_unavailable"
    hint = "Try again after the time in Retry-After; /ready names what is missing."
    retry_after = 5


class DeadlineExceeded(Unavailable):
    """The decision took too long, so nothing was issued."""

    reason = "deadline_exceeded"


class Fault(Refusal):
    """Something went wrong inside; nothing was issued."""

    reason = "internal_fault"
    hint = "Give the decision id to the operator: the ledger has the cause."


class PluginFault(Fault):
    """A plugin did not keep its promise; nothing was issued."""

    reason = "plugin_fault"

    def __init__(self, plugin: str, cause: object) -> None:
        what = f"{type(cause).__name__}" if isinstance(cause, BaseException) else str(cause)
        super().__init__(plugin=plugin, cause=what)
        self.plugin = plugin
