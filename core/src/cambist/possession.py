"""Keys proved by this request, verified once, before everything else, for all its credentials."""

from __future__ import annotations

from .credential import NOTHING, Possession
from .errors import ParameterUnsupported
from .request import Presented


def possessed(presented: Presented) -> Possession:
    """Raises ParameterUnsupported for a DPoP proof: a caller who sends one must not get a bearer token instead (RFC 9449 section 5)."""
    if presented.dpop is not None:
        raise ParameterUnsupported("DPoP proofs are not supported", seen="DPoP")
    return NOTHING
