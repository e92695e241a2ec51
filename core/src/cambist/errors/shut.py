"""The service does not open."""

from __future__ import annotations


class DidNotStart(Exception):
    """The settings, or a plugin, keep the service shut; every problem is listed, one a line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("cambist did not start:\n" + "\n".join(f"  {line}" for line in problems))
        self.problems = problems
