"""It could not be judged: a dependency is down, or something is broken."""

from __future__ import annotations

import math

from .refusal import Refusal


class Unavailable(Refusal):
    """Something that is needed to decide is not available, so nothing was issued."""

    reason = "temporarily_unavailable"
    hint = "Try again after the time in Retry-After; /ready names what is missing."
    retry_after = 5


class DeadlineExceeded(Unavailable):
    """The decision took too long, so nothing was issued."""

    reason = "deadline_exceeded"


class Overloaded(Unavailable):
    """More is asked than can be answered in time, so this was not begun."""

    reason = "overloaded"
    hint = "Try again after the time in Retry-After; add workers if it lasts."
    retry_after = 1


class TooManyRequests(Unavailable):
    """This address, or this client, asks more often than it may, so this was not begun."""

    reason = "too_many_requests"
    hint = "Try again after the time in Retry-After; the limits are `listen.limits` of the server."

    def __init__(self, wait: float = 1.0) -> None:
        super().__init__()
        self.retry_after = max(1, math.ceil(wait))


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
