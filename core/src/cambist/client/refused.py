"""Why there is no token: the service said no, it cannot be asked, or there is nothing to ask with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ExchangeFailed(Exception):
    """There is no token. `retryable`: the same may work in a moment; `retry_after` is in seconds, where the service says so."""

    def __init__(
        self,
        said: str,
        *,
        reason: str,
        hint: str | None = None,
        decision_id: str | None = None,
        status: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        self.said, self.reason, self.hint, self.decision_id, self.status = said, reason, hint, decision_id, status
        self.retryable, self.retry_after = retryable, retry_after
        self.document: Mapping[str, Any] = document or {}
        decision = f" (decision {decision_id})" if decision_id else ""
        super().__init__(f"{reason}: {said}{f'; {hint}' if hint else ''}{decision}")

    @property
    def error(self) -> str | None:
        """The error code of OAuth, where the service answered with one."""
        return self.document.get("error")


class ExchangeRefused(ExchangeFailed):
    """The service said no; asking again for the same will not help."""


class ExchangeUnavailable(ExchangeFailed):
    """The service did not answer, or could not decide."""


class CredentialUnreadable(ExchangeFailed):
    """What the application has to show cannot be read, so nobody was asked."""

    def __init__(self, said: str) -> None:
        super().__init__(said, reason="credential_unreadable")
