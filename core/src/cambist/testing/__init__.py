"""The kit: contracts to subclass, a whole service in memory, an issuer that signs what you like, a clock to move.

The contracts need the extra `testing`; what is imported from here loads when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .changes import small_changes as small_changes
    from .clock import MovableClock as MovableClock
    from .cloud_forge import EntraForge as EntraForge
    from .cloud_forge import GoogleForge as GoogleForge
    from .cluster_forge import ApiServer as ApiServer
    from .cluster_forge import KubernetesForge as KubernetesForge
    from .contracts import KeyStoreContract as KeyStoreContract
    from .contracts import ObserverContract as ObserverContract
    from .contracts import PolicyContract as PolicyContract
    from .contracts import StoreContract as StoreContract
    from .contracts import ValidatorContract as ValidatorContract
    from .forge import ABSENT as ABSENT
    from .forge import Forge as Forge
    from .http import DeafHttp as DeafHttp
    from .http import ScriptedHttp as ScriptedHttp
    from .oauth_forge import AccessTokenForge as AccessTokenForge
    from .oauth_forge import IdTokenForge as IdTokenForge
    from .policies import AllowAll as AllowAll
    from .policies import Scripted as Scripted
    from .questions import question as question
    from .service import ISSUER as ISSUER
    from .service import Running as Running
    from .service import open_sts as open_sts
    from .serving import Served as Served
    from .serving import SharedClock as SharedClock
    from .serving import serve as serve
    from .trusting import Trusting as Trusting

_HOMES = {
    "changes": ("small_changes",),
    "clock": ("MovableClock",),
    "cloud_forge": ("EntraForge", "GoogleForge"),
    "cluster_forge": ("ApiServer", "KubernetesForge"),
    "contracts": ("KeyStoreContract", "ObserverContract", "PolicyContract", "StoreContract", "ValidatorContract"),
    "forge": ("ABSENT", "Forge"),
    "http": ("DeafHttp", "ScriptedHttp"),
    "oauth_forge": ("AccessTokenForge", "IdTokenForge"),
    "policies": ("AllowAll", "Scripted"),
    "questions": ("question",),
    "service": ("ISSUER", "Running", "open_sts"),
    "serving": ("Served", "SharedClock", "serve"),
    "trusting": ("Trusting",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605  # made of the table above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'cambist.testing' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
