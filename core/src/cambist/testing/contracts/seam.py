"""What an object lacks of the seam that it is to fill, in words for whoever wrote it."""

from __future__ import annotations

import inspect


def gaps(thing: object, seam: type) -> str:
    """Everything at once; nothing where the object fills the seam."""
    members = {name: member for name, member in vars(seam).items() if not name.startswith("_")}
    missing = [f"it lacks `{name}`" for name in members if not hasattr(thing, name)]
    waiting = [name for name, member in members.items() if inspect.iscoroutinefunction(member) and hasattr(thing, name)]
    plain = [f"`{name}` is not `async def`" for name in waiting if not inspect.iscoroutinefunction(getattr(thing, name))]
    return "; ".join([*missing, *plain])
