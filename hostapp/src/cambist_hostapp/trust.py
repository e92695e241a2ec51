"""`cambist trust`: how those are whom the service trusts, and whom it trusts no more."""

from __future__ import annotations

from .revoke import trust
from .trust_check import check

__all__ = ["trust"]

trust.add_command(check)
