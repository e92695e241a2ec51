"""What the operator says of the OPA server, and of how long it is waited for."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from cambist import Secret, Shape, Unavailable
from cambist.egress import allowed


def _base(url: str) -> str:
    """A URL that paths can be added to, and that may be called at all. Raises ValueError."""
    try:
        allowed(url)
    except Unavailable as error:
        raise ValueError(str(error.facts["cause"])) from error
    parts = urlsplit(url)
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("must not have a query or a fragment")
    return url.rstrip("/")


def _bearer(token: Secret) -> Secret:
    """What can stand in a header behind `Bearer` (RFC 6750 section 2.1). Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token.reveal()):
        raise ValueError("must be letters, digits and -._~+/ with = at the end only, else it is no bearer token")
    return token


class OpaRestSettings(Shape):
    """Whom to ask, what to ask for, how to prove who asks, and how long to wait."""

    url: Annotated[str, AfterValidator(_base)] = Field(
        description="Where OPA listens: an https URL, or http on this machine. `/v1/data/` and the entry point are added."
    )
    entrypoint: str = Field(
        "cambist/exchange/decision",
        pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$",
        description="The rule that decides: package and name, with slashes.",
    )
    token: Annotated[Secret, AfterValidator(_bearer)] | None = Field(
        None, description="The bearer token that OPA demands, if it runs with `--authentication=token`."
    )
    deadline: float = Field(
        0.5, gt=0, le=5, description="The longest that one decision may take, in seconds, from connecting to the last byte."
    )
