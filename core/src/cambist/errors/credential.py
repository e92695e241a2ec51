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


class KindMismatch(Rejected):
    """The token is good for something else than what it was sent as."""

    reason = "token_kind_mismatch"
    hint = "Send an ID token as `id_token` and an access token as `access_token`; nothing else of an issuer is either."


class AudienceNotSole(AudienceMismatch):
    """The credential was issued for several audiences, each of which could use it in place of its owner."""

    reason = "audience_not_sole"
    hint = "Ask the issuer for a token with the expected audience alone."


class PartyMismatch(Rejected):
    """The credential was issued to another client of its issuer."""

    reason = "authorized_party_mismatch"
    hint = "Compare azp with the audience, or with the clients that are named for this issuer."


class NonceMismatch(Rejected):
    """The credential does not carry the nonce that is expected of this issuer's tokens."""

    reason = "nonce_mismatch"
    hint = "Fetch the token with the nonce that the settings name."


class ClaimMissing(Rejected):
    """A claim that says whom the credential is about is missing, or is not what its issuer writes."""

    reason = "claim_missing"
    hint = "Ask the issuer for a token with this claim."


class ClaimNotAccepted(Rejected):
    """A claim has a value that is not among those that are accepted from this issuer."""

    reason = "claim_not_accepted"
    hint = "Compare the claim with the settings: ids count, names can be registered anew by somebody else."


class ProposedChange(Rejected):
    """The credential belongs to a run that a proposed change has caused, and anybody may propose one."""

    reason = "proposed_change"
    hint = "Run it from a protected branch, or let this issuer's pull requests in."


class UserToken(Rejected):
    """The credential is a person's, where a workload's is needed."""

    reason = "user_token"
    hint = "Let the workload fetch a token of its own identity from its platform; a person's login proves no workload."


class PlatformToken(Rejected):
    """The credential is an access token for the platform's own APIs, which proves to nobody else who holds it."""

    reason = "platform_token"
    hint = "Ask the platform for an identity token whose audience is this service, in place of an access token for its APIs."


class TenantMismatch(Rejected):
    """The tenant that the credential names is not the one whose issuer signed it."""

    reason = "tenant_mismatch"
    hint = "Fetch the token from the tenant that the identity lives in; guests count where they are guests."


class Inactive(Rejected):
    """The issuer says that the token is not active."""

    reason = "credential_inactive"
    hint = "Fetch a fresh token. If it is fresh: the issuer tells this only to whom the token is for."


class PossessionMissing(Rejected):
    """The credential is bound to a key that this request did not prove to hold."""

    reason = "possession_missing"
    hint = "Send the proof of possession together with the credential."


class Replayed(Rejected):
    """Something that is accepted once was used before."""

    reason = "replayed"
    hint = "Make a new assertion or nonce for each request."


class Revoked(Rejected):
    """The credential, or somebody or something that it names, is accepted no more."""

    reason = "revoked"
    hint = "Give the decision id to the operator: what was revoked, and why, stands in the ledger."


class IdentifierTooLong(Rejected):
    """The identity is too long to be named in a token (2,048 bytes)."""

    reason = "identifier_too_long"
    hint = "Shorten the subject at its issuer."
