"""Work that one process did and hands down: bytes that take long to make, for the processes that are forked after it told of them.

They never lie on a disk: whoever has them may run them, as a plugin does with the machine code that it compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

KEPT = 16
"""How many are kept: those of settings that were left long ago go first."""

_known: dict[str, bytes] = {}


def heirloom(name: str, make: Callable[[], bytes]) -> bytes:
    """The bytes of this name, which says everything that they depend on; made here unless they were handed down."""
    if (found := _known.get(name)) is None:
        found = make()
        inherit({name: found})
    return found


def heirlooms() -> Mapping[str, bytes]:
    """What this process would hand down."""
    return dict(_known)


def inherit(more: Mapping[str, bytes]) -> None:
    """Take over what another process made."""
    _known.update(more)
    for name in list(_known)[:-KEPT]:
        del _known[name]
