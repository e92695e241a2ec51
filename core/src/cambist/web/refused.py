"""A refusal where no endpoint was reached, told in the shape of the endpoint that was asked (decision 7)."""

from __future__ import annotations

from ..errors import Refusal
from ..wire.call import Call, Dialect, Reply
from ..wire.oauth import OAuth
from ..wire.v1 import V1
from .endpoints import with_allow

FORM, JSON = "/oauth/2/token", "/v1/exchange/token"
_OAUTH, _V1 = OAuth({}), V1({})


def refused(refusal: Refusal, call: Call) -> Reply:
    """The path of the call is empty where it could not be read."""
    dialect: Dialect = _V1 if call.path in (JSON, "") else _OAUTH
    reply = dialect.refuse(refusal, call)
    return with_allow(reply, "GET, HEAD") if reply.status == 405 and call.path not in (FORM, JSON) else reply
