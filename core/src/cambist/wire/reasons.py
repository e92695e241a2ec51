"""Every reason with all that there is to say about it: what the page of the reasons, and `cambist explain`, are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from .. import errors as e
from ..errors import Refusal
from . import codes, v1
from .refusing import Told

FAMILIES: Mapping[type[Refusal], str] = {
    e.Malformed: "The request cannot be read",
    e.CallerRefused: "The caller is not proved, or not allowed this",
    e.Unclaimed: "Nobody takes the credential",
    e.Rejected: "The credential was judged, and is not good",
    e.Denied: "The policy, or a bound that it set, says no",
    e.Unavailable: "It could not be judged",
    e.Fault: "Something is broken",
    Refusal: "Anything else",
}
"""What stands right below the root of the tree, as a heading; what a plugin puts beside it is anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One way to say no: its stable code, what it means, what most often leads there, what to do, and how both dialects tell it."""

    code: str
    family: str
    meaning: str
    likely: str
    fix: str
    form: Told
    json: Told


@cache
def reasons() -> tuple[Reason, ...]:
    """All of core's, family by family, in the order of the table; a plugin's own kinds are told as that of core's they are made of."""
    found = [_reason(kind) for kind in codes.TABLE]
    order = list(FAMILIES.values())
    return tuple(sorted(found, key=lambda reason: order.index(reason.family)))


def _reason(kind: type[Refusal]) -> Reason:
    return Reason(
        code=kind.reason,
        family=next(FAMILIES[parent] for parent in kind.__mro__ if parent in FAMILIES),
        meaning=kind.meaning(),
        likely=kind.likely,
        fix=kind.hint,
        form=codes.TABLE[kind],
        json=v1.TABLE[kind],
    )


def named(code: str) -> Reason | None:
    """The reason of this code; None for one of a plugin's own."""
    return next((reason for reason in reasons() if reason.code == code), None)
