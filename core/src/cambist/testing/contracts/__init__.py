"""What every plugin promises, as test classes to subclass: supply the objects, inherit the rules."""

from __future__ import annotations

from .keystore import KeyStoreContract
from .observer import ObserverContract
from .policy import PolicyContract
from .store import StoreContract
from .validator import ValidatorContract

__all__ = ["KeyStoreContract", "ObserverContract", "PolicyContract", "StoreContract", "ValidatorContract"]
