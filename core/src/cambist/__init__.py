"""Cambist: any workload credential in, one short-lived, narrow, attributable token out.

These names are what plugins and programs may lean on. They load when they are first used, so that what needs no server
parts does not pay for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .audit import Observer as Observer
    from .audit import Record as Record
    from .credential import Credential as Credential
    from .credential import Role as Role
    from .credential import Unverified as Unverified
    from .errors import (
        AudienceMismatch as AudienceMismatch,
    )
    from .errors import (
        CambistDeprecationWarning as CambistDeprecationWarning,
    )
    from .errors import (
        CredentialMalformed as CredentialMalformed,
    )
    from .errors import (
        DidNotStart as DidNotStart,
    )
    from .errors import (
        Expired as Expired,
    )
    from .errors import (
        NotYetValid as NotYetValid,
    )
    from .errors import (
        Refusal as Refusal,
    )
    from .errors import (
        Rejected as Rejected,
    )
    from .errors import (
        SignatureInvalid as SignatureInvalid,
    )
    from .errors import (
        Unavailable as Unavailable,
    )
    from .hooks import Host as Host
    from .hooks import ZoneHost as ZoneHost
    from .hooks import hookimpl as hookimpl
    from .identity import Identity as Identity
    from .identity import Proven as Proven
    from .jwts import Expected as Expected
    from .jwts import Verified as Verified
    from .keys import KeyStore as KeyStore
    from .keys import Rotation as Rotation
    from .keys import SigningKey as SigningKey
    from .policy import Answer as Answer
    from .policy import Deny as Deny
    from .policy import Permit as Permit
    from .policy import Policy as Policy
    from .policy import PolicyInput as PolicyInput
    from .secret import Secret as Secret
    from .settings import Settings as Settings
    from .shape import Field as Field
    from .shape import Shape as Shape
    from .store import Mark as Mark
    from .store import Store as Store
    from .sts import Sts as Sts
    from .validator import Validator as Validator

_HOMES = {
    "audit": ("Observer", "Record"),
    "credential": ("Credential", "Role", "Unverified"),
    "errors": (
        "AudienceMismatch",
        "CambistDeprecationWarning",
        "CredentialMalformed",
        "DidNotStart",
        "Expired",
        "NotYetValid",
        "Refusal",
        "Rejected",
        "SignatureInvalid",
        "Unavailable",
    ),
    "hooks": ("Host", "ZoneHost", "hookimpl"),
    "identity": ("Identity", "Proven"),
    "jwts": ("Expected", "Verified"),
    "keys": ("KeyStore", "Rotation", "SigningKey"),
    "policy": ("Answer", "Deny", "Permit", "Policy", "PolicyInput"),
    "secret": ("Secret",),
    "settings": ("Settings",),
    "shape": ("Field", "Shape"),
    "store": ("Mark", "Store"),
    "sts": ("Sts",),
    "validator": ("Validator",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - a list of what the table above says, so that there is one table
__version__ = "1.0.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cambist' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
