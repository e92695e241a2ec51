"""What a line says of one decision, member by member. What has a default is left out where it is empty."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import Struct

from cambist.request import Dialect

VERSION = 1
"""Of the line. It changes when a member changes its meaning or goes; new members may come without."""

MAX_LINE = 65_536
"""Bytes."""


class Part(Struct, frozen=True, omit_defaults=True, gc=False):
    """What belongs together in a line. Nothing in it points back at it, so the collector need not look at it."""


class Client(Part, frozen=True, kw_only=True):
    """Who called: `id` where it was proved, else what it claimed to be."""

    id: str | None = None
    claimed: str | None = None
    method: str | None = None
    application: bool | None = None


class Named(Part, frozen=True):
    """Somebody who acts, or acted before."""

    issuer: str
    subject: str


class Party(Part, frozen=True, kw_only=True):
    """Subject or actor: its identity where it was proved, its credential where one was sent; of that only what it was, and its hash."""

    issuer: str | None = None
    subject: str | None = None
    token_id: str | None = None
    expires_at: int | None = None
    attributes: Mapping[str, object] | None = None
    token_type: str | None = None
    sent_as: str | None = None
    sha256: str | None = None


class Execution(Part, frozen=True, kw_only=True):
    """The one HTTP action that the token is for."""

    htm: str | None = None
    htu: str | None = None
    payload_hash: str | None = None
    nonce_sha256: str


class Asked(Part, frozen=True, kw_only=True):
    """What the request wanted."""

    targets: list[str] = []
    scope: list[str] = []
    token_type: str | None = None
    ttl: int | None = None
    execution: Execution | None = None


class Policy(Part, frozen=True, kw_only=True):
    """By which rules it was decided, and what they answered. Of the claims that they add only the names: the values can be attributes."""

    name: str | None = None
    revision: str | None = None
    answer: str | None = None
    scope: list[str] = []
    ttl: int | None = None
    claims: list[str] = []
    reasons: list[str] = []
    targets: list[str] = []


class Granted(Part, frozen=True, kw_only=True):
    """The token that was issued, without the token."""

    audience: list[str] = []
    scope: list[str] = []
    lifetime: int | None = None
    expires_at: int | None = None
    jti: str | None = None
    kid: str | None = None
    token_type: str | None = None


class Refused(Part, frozen=True, kw_only=True):
    """What the caller was told, and the facts that it was not."""

    reason: str | None = None
    role: str | None = None
    said: str | None = None
    expected: object = None
    seen: object = None
    facts: object = None


class Step(Part, frozen=True):
    """One step of the story: how long it took, and what came of it."""

    name: str
    microseconds: int
    outcome: str
    reason: str | None = None
    facts: object = None


class Line(Part, frozen=True, kw_only=True):
    """One decision. `left_out` is how many before it were only counted; `shortened` are the details that there was no room for.

    `untold` is why nothing but its head is known: a plugin put into the story what nobody expects there.
    """

    v: int
    decision_id: str
    at: str
    outcome: str
    reason: str | None = None
    untold: str | None = None
    zone: str | None = None
    dialect: Dialect | None = None
    grant_type: str | None = None
    client: Client | None = None
    subject: Party | None = None
    actor: Party | None = None
    chain: list[Named] = []
    asked: Asked | None = None
    policy: Policy | None = None
    granted: Granted | None = None
    refusal: Refused | None = None
    steps: list[Step] = []
    left_out: int | None = None
    shortened: list[str] = []


def moment(seconds: float) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    whole = math.floor(seconds)
    return f"{_second(whole)}.{_THOUSANDTHS[math.floor((seconds - whole) * 1000)]}Z"


_THOUSANDTHS = [f"{n:03d}" for n in range(1000)]
"""Formatting a number takes longer than all else that `moment` does."""


@lru_cache(4)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_ROOM = 4096
"""Bytes that nearly every line fits in: room that is there takes half as long as room that grows."""

_encode_into = msgspec.json.Encoder().encode_into
_DEL = 0x7F
# Besides what JSON escapes: C1 controls, which some terminals obey, line separators, and what turns the direction of text.
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def encoded(line: Line | Mapping[str, object]) -> bytes:
    """As JSON that shows nothing but what it says."""
    text = bytearray(_ROOM)
    _encode_into(line, text)
    if text.isascii() and _DEL not in text:
        return bytes(text)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text.decode()).encode()
