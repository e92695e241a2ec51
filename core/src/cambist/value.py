"""Frozen values, of which every request makes some fifty: a frozen dataclass takes ten times as long to make as one of these."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace as replace  # noqa: PLC0414 - where others find it


class Value(Struct, frozen=True):
    """Equal when its members are, and not to be changed. Members in `UNSEEN` are kept out of its `repr`: they are secrets, or hold some."""

    UNSEEN: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self.UNSEEN)
        return f"{type(self).__name__}({', '.join(shown)})"


class Noted(Value, frozen=True, eq=False):
    """A value with members that say something about it and are no part of what it is: `NOTES` are not compared."""

    NOTES: ClassVar[frozenset[str]] = frozenset()

    def __eq__(self, other: object) -> bool:
        return self._said() == other._said() if isinstance(other, Noted) and type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._said())

    def _said(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__struct_fields__ if name not in self.NOTES)
