"""It could not be judged: a dependency is down, or something is broken."""

from __future__ import annotations

import math

from .refusal import Refusal


class Unavailable(Refusal):
    """Something that is needed to decide is not available, so nothing was issued."""

    reason = "temporarily_unavailable"
    likely = "The issuer's keys, the policy server, the store or the ledger cannot be reached."
    hint = "Try again after the time in Retry-After; /ready names what is missing."
    retry_after = 5


class DeadlineExceeded(Unavailable):
    """The decision took too long, so nothing was issued."""

    reason = "deadline_exceeded"
    likely = "An issuer or the policy server answers slowly, or the machine is overloaded."


class Overloaded(Unavailable):
    """More is asked than can be answered in time, so this was not begun."""

    reason = "overloaded"
    likely = "More clients ask than this machine can serve, or one asks for a token anew for each of its calls."
    hint = "Try again after the time in Retry-After; add workers if it lasts."
    retry_after = 1


class TooManyRequests(Unavailable):
    """This address, or this client, asks more often than it may, so this was not begun."""

    reason = "too_many_requests"
    likely = "A token is fetched anew for each call in place of being kept until it ends, or a failing client tries again at once."
    hint = "Try again after the time in Retry-After; the limits are `listen.limits` of the server."

    def __init__(self, wait: float = 1.0) -> None:
        super().__init__()
        self.retry_after = max(1, math.ceil(wait))


class Fault(Refusal):
    """Something went wrong inside; nothing was issued."""

    reason = "internal_fault"
    likely = "A bug of this service."
    hint = "Give the decision id to the operator: the ledger has the cause."


class PluginFault(Fault):
    """A plugin did not keep its promise; nothing was issued."""

    reason = "plugin_fault"
    likely = "A bug of a plugin, or a version of it that does not fit."

    def __init__(self, plugin: str, cause: object) -> None:
        what = f"{type(cause).__name__}" if isinstance(cause, BaseException) else str(cause)
        super().__init__(plugin=plugin, cause=what)
        self.plugin = plugin
