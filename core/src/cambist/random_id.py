"""Identifiers that nobody can guess, and that are never made twice: of decisions, requests, tokens and assertions."""

from __future__ import annotations

import os

from .compact import encode


def random_id() -> str:
    """128 random bits, as 22 characters that are safe in a URL."""
    return encode(os.urandom(16))
