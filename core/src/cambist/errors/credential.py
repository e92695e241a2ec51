"""Nobody takes the credential, or it was judged and is bad."""

from __future__ import annotations

from .refusal import Refusal


class Unclaimed(Refusal):
    """No validator takes this credential."""

    reason = "credential_unclaimed"
    hint = "Check that the token is of the type it is sent as."


class IssuerNotTrusted(Unclaimed):
    """No validator of this zone trusts the issuer named in the credential."""

    reason = "issuer_not_trusted"
    hint = "Compare the issuer letter by letter with the settings: scheme, case, port and a final slash count."


class Ambiguous(Unclaimed):
    """More than one validator takes this credential, so none does."""

    reason = "credential_ambiguous"
    hint = "Send a more specific token type."


class Rejected(Refusal):
    """The credential was judged, and is not good."""

    reason = "credential_rejected"
    hint = "Fetch a fresh credential and compare it with what the plugin's page asks for."


class CredentialMalformed(Rejected):
    """The credential is not well-formed for its type."""

    reason = "credential_malformed"
    hint = "Send the credential exactly as it was issued."


class CredentialTooLarge(Rejected):
    """The credential is larger than this service reads."""

    reason = "credential_too_large"
    hint = "Ask the issuer for fewer claims, or raise `max_token` in the zone."


class SignatureInvalid(Rejected):
    """The signature does not verify with the issuer's key."""

    reason = "signature_invalid"
    hint = "The token was altered, or signed with another key than the issuer publishes."


class KeyUnknown(Rejected):
    """The issuer publishes no usable key that fits the credential's header."""

    reason = "key_unknown"
    hint = "The issuer may have rotated its keys a moment ago; try again in a minute, then compare kid and alg with its JWKS."


class AlgorithmRefused(Rejected):
    """The signature algorithm is not one that is allowed for this issuer and key."""

    reason = "algorithm_refused"
    hint = "Allow the algorithm for the issuer; HMAC and `none` are never allowed."


class Expired(Rejected):
    """The credential has expired."""

    reason = "credential_expired"
    hint = "Fetch a fresh credential; if it is fresh, compare the clocks."


class NotYetValid(Rejected):
    """The credential is not valid yet."""

    reason = "credential_not_yet_valid"
    hint = "Compare the clocks of the issuer and of this service."


class AudienceMismatch(Rejected):
    """The credential was issued for somebody else."""

    reason = "audience_mismatch"
    hint = "Ask the issuer for a token with the expected audience."


class PossessionMissing(Rejected):
    """The credential is bound to a key that this request did not prove to hold."""

    reason = "possession_missing"
    hint = "Send the proof of possession together with the credential."


class Replayed(Rejected):
    """Something that is accepted once was used before."""

    reason = "replayed"
    hint = "Make a new assertion or nonce for each request."


class IdentifierTooLong(Rejected):
    """The identity is too long to be named in a token (2,048 bytes)."""

    reason = "identifier_too_long"
    hint = "Shorten the subject at its issuer."
