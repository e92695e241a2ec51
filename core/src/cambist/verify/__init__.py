"""For APIs that take tokens of this service: is this token good here, and for what? Needs no part of a server.

verifier = Verifier(issuer="https://sts.example.com", audience="https://api.example.com")
app = Protected(app, verifier, scope={"read"})
"""

from __future__ import annotations

from .execution import Action as Action
from .protected import Protected as Protected
from .refused import CannotVerify as CannotVerify
from .refused import KeysUnavailable as KeysUnavailable
from .refused import SpentUnavailable as SpentUnavailable
from .refused import TokenRefused as TokenRefused
from .spent import Spent as Spent
from .spent import SpentHere as SpentHere
from .token import VerifiedToken as VerifiedToken
from .verifier import Verifier as Verifier

__all__ = [
    "Action",
    "CannotVerify",
    "KeysUnavailable",
    "Protected",
    "Spent",
    "SpentHere",
    "SpentUnavailable",
    "TokenRefused",
    "VerifiedToken",
    "Verifier",
]
