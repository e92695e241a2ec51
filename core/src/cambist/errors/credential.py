"""The credential was judged, and is bad."""

from __future__ import annotations

from .refusal import Refusal


class Rejected(Refusal):
    """The credential was judged, and is not good."""

    reason = "credential_rejected"
    likely = "One of the rules of its issuer's entry, or of the plugin that judged it, is not met."
    hint = "Fetch a fresh credential and compare it with what the plugin's page asks for."


class CredentialMalformed(Rejected):
    """The credential is not well-formed for its type."""

    reason = "credential_malformed"
    likely = "The token was cut, quoted, encoded a second time or wrapped into lines on its way."
    hint = "Send the credential exactly as it was issued."


class AudienceMissing(CredentialMalformed):
    """The credential does not say for whom it was issued."""

    reason = "audience_missing"
    likely = "The token was fetched without naming an audience, so it is for everybody."
    hint = "Ask the issuer for a token with the expected audience: without one, whoever is shown the token could use it here."


class CredentialTooLarge(Rejected):
    """The credential is larger than this service reads."""

    reason = "credential_too_large"
    likely = "The issuer writes every group or role of the subject into the token."
    hint = "Ask the issuer for fewer claims, or raise `max_token` in the zone."


class SignatureInvalid(Rejected):
    """The signature does not verify with the issuer's key."""

    reason = "signature_invalid"
    likely = "The token was altered on its way, or comes from another installation that calls itself by the same issuer."
    hint = "Send the token exactly as it was issued, and compare its kid with the keys that its issuer publishes."


class KeyUnknown(Rejected):
    """The issuer publishes no usable key that fits the credential's header."""

    reason = "key_unknown"
    likely = "The issuer rotated its keys, the settings hold an old key set, or the token comes from another installation of the issuer."
    hint = "The issuer may have rotated its keys a moment ago; try again in a minute, then compare kid and alg with its JWKS."


class AlgorithmRefused(Rejected):
    """The signature algorithm is not one that is allowed for this issuer and key."""

    reason = "algorithm_refused"
    likely = "The issuer signs with an algorithm that its entry does not list."
    hint = "Allow the algorithm for the issuer; HMAC and `none` are never allowed."


class Expired(Rejected):
    """The credential has expired."""

    reason = "credential_expired"
    likely = "The token was kept and used again, or a job ran for longer than its token lives."
    hint = "Fetch a fresh credential; if it is fresh, compare the clocks."


class NotYetValid(Rejected):
    """The credential is not valid yet."""

    reason = "credential_not_yet_valid"
    likely = "The issuer's clock is ahead of this service's, by more than the leeway of its entry."
    hint = "Compare the clocks of the issuer and of this service; `leeway` in the issuer's entry says how far they may differ."


class AudienceMismatch(Rejected):
    """The credential was issued for somebody else."""

    reason = "audience_mismatch"
    likely = "The token was fetched for another service, or with the default audience of its issuer."
    hint = "Fetch the token, or sign the assertion, for the expected audience; names are compared letter by letter."


class KindMismatch(Rejected):
    """The token is good for something else than what it was sent as."""

    reason = "token_kind_mismatch"
    likely = "An access token was sent as an ID token, or the other way round."
    hint = "Send an ID token as `id_token` and an access token as `access_token`; nothing else of an issuer is either."


class AudienceNotSole(AudienceMismatch):
    """The credential was issued for several audiences, each of which could use it in place of its owner."""

    reason = "audience_not_sole"
    likely = "The token was fetched for several services at once, or the issuer adds an audience of its own."
    hint = "Ask the issuer for a token with the expected audience alone."


class PartyMismatch(Rejected):
    """The credential was issued to another client of its issuer."""

    reason = "authorized_party_mismatch"
    likely = "The token was fetched by another client of the issuer, and is for this service only by its aud."
    hint = "Compare azp with the audience, or with the clients that are named for this issuer."


class NonceMismatch(Rejected):
    """The credential does not carry the nonce that is expected of this issuer's tokens."""

    reason = "nonce_mismatch"
    likely = "The token was fetched without the nonce, or with one of another login."
    hint = "Fetch the token with the nonce that the settings name."


class ClaimMissing(Rejected):
    """A claim that says whom the credential is about is missing, or is not what its issuer writes."""

    reason = "claim_missing"
    likely = "The issuer writes this claim only when it is asked to, or for another kind of account."
    hint = "Ask the issuer for a token with this claim."


class ClaimNotAccepted(Rejected):
    """A claim has a value that is not among those that are accepted from this issuer."""

    reason = "claim_not_accepted"
    likely = "The token is of another account, project, repository or tenant than those that are listed."
    hint = "Compare the claim with the settings: ids count, names can be registered anew by somebody else."


class ProposedChange(Rejected):
    """The credential belongs to a run that a proposed change has caused, and anybody may propose one."""

    reason = "proposed_change"
    likely = "The run was started by a pull request, or by a change that is not merged."
    hint = "Run it from a protected branch, or let this issuer's pull requests in."


class UserToken(Rejected):
    """The credential is a person's, where a workload's is needed."""

    reason = "user_token"
    likely = "The token was fetched at somebody's desk, with a login in place of the workload's own identity."
    hint = "Let the workload fetch a token of its own identity from its platform; a person's login proves no workload."


class PlatformToken(Rejected):
    """The credential is an access token for the platform's own APIs, which proves to nobody else who holds it."""

    reason = "platform_token"
    likely = "The platform's default call was used, which gives a token for its own APIs."
    hint = "Ask the platform for an identity token whose audience is this service, in place of an access token for its APIs."


class TenantMismatch(Rejected):
    """The tenant that the credential names is not the one whose issuer signed it."""

    reason = "tenant_mismatch"
    likely = "The identity is a guest, or the token was fetched from another tenant than the one in the settings."
    hint = "Fetch the token from the tenant that the identity lives in; guests count where they are guests."


class LegacyToken(Rejected):
    """The service-account token is one out of a Secret: it never ends, and says neither whom it is for nor which pod holds it."""

    reason = "legacy_token"
    likely = "The workload reads the token of a Secret of type service-account-token, as clusters before 1.24 made for everybody."
    hint = "Project a token into the pod (`serviceAccountToken` with this service as `audience`), or ask for one by TokenRequest."


class SubjectContradicted(Rejected):
    """What a credential says elsewhere contradicts whom it says it is about."""

    reason = "subject_contradicted"
    likely = "Something else than the cluster's API server signs with the cluster's key."
    hint = "Ask whoever runs the issuer: its own tokens do not contradict themselves, so something else signs with its key."


class ClusterAmbiguous(Rejected):
    """The keys of more than one cluster verify the credential, so none of them is believed."""

    reason = "cluster_ambiguous"
    likely = "A cluster was copied with its keys, or the same key set was entered for two clusters."
    hint = "Compare the key sets of the clusters that share this issuer: no two may have a key in common."


class Inactive(Rejected):
    """The issuer says that the token is not active."""

    reason = "credential_inactive"
    likely = "The token was revoked or has ended at its issuer, or is not for the client that asks the issuer about it."
    hint = "Fetch a fresh token. If it is fresh: the issuer tells this only to whom the token is for."


class PossessionMissing(Rejected):
    """The credential is bound to a key that this request did not prove to hold."""

    reason = "possession_missing"
    likely = "The token is bound to a certificate or a key, and was sent without it: a proxy in between ends TLS, or no proof was made."
    hint = "Send the proof of possession together with the credential."


class Replayed(Rejected):
    """Something that is accepted once was used before."""

    reason = "replayed"
    likely = "A client or a proxy sent the same request again, or an assertion was kept and used twice."
    hint = "Make a new assertion or nonce for each request."


class Revoked(Rejected):
    """The credential, or somebody or something that it names, is accepted no more."""

    reason = "revoked"
    likely = "An operator cut off the subject, its issuer, its key, the application or the transaction."
    hint = "Give the decision id to the operator: what was revoked, and why, stands in the ledger."


class IdentifierTooLong(Rejected):
    """The identity is too long to be named in a token (2,048 bytes)."""

    reason = "identifier_too_long"
    likely = "The issuer uses a distinguished name or a URL with everything in it as the subject."
    hint = "Shorten the subject at its issuer."
