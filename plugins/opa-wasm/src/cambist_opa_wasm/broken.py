"""The one way in which rules are found unfit to be at work."""

from __future__ import annotations

from cambist import Unavailable


class Broken(Unavailable):
    """The policy's rules cannot be put to work, so nothing was issued."""

    def __init__(self, cause: str) -> None:
        super().__init__(what="the policy's rules", cause=cause)
        self.cause = cause
