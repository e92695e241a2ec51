"""Nobody takes the credential, so nobody judged it."""

from __future__ import annotations

from .refusal import Refusal


class Unclaimed(Refusal):
    """No validator takes this credential."""

    reason = "credential_unclaimed"
    likely = "The token was cut or quoted on its way, so that no issuer can be read from it, or it is no JWT."
    hint = "Check that the token is of the type it is sent as, and whole: no quotes around it, and no part cut off."


class IssuerNotTrusted(Unclaimed):
    """No validator of this zone trusts the issuer named in the credential."""

    reason = "issuer_not_trusted"
    likely = "The issuer is not in the settings of this zone, or is spelled otherwise there: case, scheme, port or a final slash."
    hint = "Compare the issuer letter by letter with the settings: scheme, case, port and a final slash count."


class Ambiguous(Unclaimed):
    """More than one validator takes this credential, so none does."""

    reason = "credential_ambiguous"
    likely = "Two enabled plugins take this type, and nothing in the token says whose it is."
    hint = "Send a more specific token type."
