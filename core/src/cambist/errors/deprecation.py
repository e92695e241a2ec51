"""What is going to go says so two minor releases before it does."""

from __future__ import annotations


class CambistDeprecationWarning(DeprecationWarning):
    """A public name is used that will go; the warning says since when, what takes its place, and when it goes."""
