"""A refusal where no endpoint was reached, told in the shape of the endpoint that was asked (decision 7)."""

from __future__ import annotations

from functools import cache

from ..errors import Refusal
from ..settings import REASONS
from ..wire.call import Call, Dialect, Reply
from ..wire.oauth import OAuth
from ..wire.v1 import V1
from .endpoints import with_allow

FORM, JSON = "/oauth/2/token", "/v1/exchange/token"


@cache
def _dialects(page: str) -> tuple[OAuth, V1]:
    return OAuth({}, page=page), V1({}, page=page)


def refused(refusal: Refusal, call: Call, page: str = REASONS) -> Reply:
    """The path of the call is empty where it could not be read; endpoints of a zone stand beneath its own path.

    `page` explains the reasons; who does not know its address links to that of the service itself.
    """
    oauth, v1 = _dialects(page)
    dialect: Dialect = v1 if call.path.endswith(JSON) or not call.path else oauth
    reply = dialect.refuse(refusal, call)
    return with_allow(reply, "GET, HEAD") if reply.status == 405 and not call.path.endswith((FORM, JSON)) else reply
