"""The calling application is unknown, unproved or not allowed this."""

from __future__ import annotations

from .refusal import Refusal


class CallerRefused(Refusal):
    """The calling application was refused."""

    reason = "client_refused"
    likely = "The application's entry in its zone does not allow what it asked for."
    hint = "Check the application's settings in its zone."


class CallerUnproved(CallerRefused):
    """The calling application is unknown here, or its secret, assertion or certificate does not prove it."""

    reason = "client_authentication_failed"
    likely = "A wrong or rotated secret, an assertion signed with a key that is not registered, or another zone than the application's."
    hint = "Check client_id, zone_id and the secret or key; the answer is the same whichever of them is wrong."


class CallerMissing(CallerRefused):
    """The caller must authenticate: this credential type does not do it by itself in this zone."""

    reason = "client_required"
    likely = "The request has no client credentials, and its subject token is not of a type that proves the caller by itself."
    hint = "Authenticate as an application, or list the token type under `authenticates` in the zone."


class CallerMismatch(CallerRefused):
    """client_id names another application than the one that was proved."""

    reason = "client_mismatch"
    likely = "A client_id was left in from another environment, or the subject token, which proves the caller here, has another name."
    hint = "Leave client_id out, or send the id of the application that authenticates."


class GrantNotAllowed(CallerRefused):
    """The application may not use this grant type."""

    reason = "grant_not_allowed"
    likely = "The application was registered for another grant type only."
    hint = "Add the grant type to the application's `grants`."
