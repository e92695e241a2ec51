"""OAuth's word for each refusal, with its status: the form dialect answers so, the JSON dialect adds it as `sts_error`."""

from __future__ import annotations

from .. import errors as e
from ..policy import PolicyUnclear
from .refusing import Table, Told

CLIENT_FAILED = Told(401, "invalid_client")

TABLE: Table = {
    e.Refusal: Told(500, "server_error"),
    e.Malformed: Told(400, "invalid_request"),
    e.BodyTooLarge: Told(413, "invalid_request"),
    e.MediaTypeUnsupported: Told(400, "invalid_request"),
    e.MethodNotAllowed: Told(405, "invalid_request"),
    e.PathUnknown: Told(404, "invalid_request"),
    e.ParameterMissing: Told(400, "invalid_request"),
    e.ParameterRepeated: Told(400, "invalid_request"),
    e.ParameterInvalid: Told(400, "invalid_request"),
    e.ParameterUnsupported: Told(400, "invalid_request"),
    e.ScopeMalformed: Told(400, "invalid_scope"),
    e.GrantTypeUnsupported: Told(400, "unsupported_grant_type"),
    e.TokenTypeUnknown: Told(400, "invalid_request"),
    e.TokenTypeNotEnabled: Told(400, "invalid_request"),
    e.ZoneUnknown: Told(400, "invalid_request"),
    e.TargetMissing: Told(400, "invalid_target"),
    e.TargetInvalid: Told(400, "invalid_target"),
    e.LifetimeAboveCap: Told(400, "invalid_request"),
    e.CallerRefused: CLIENT_FAILED,
    e.CallerUnproved: CLIENT_FAILED,
    e.CallerMissing: CLIENT_FAILED,
    e.CallerMismatch: CLIENT_FAILED,
    e.GrantNotAllowed: Told(400, "unauthorized_client"),
    e.Unclaimed: Told(400, "invalid_request"),
    e.IssuerNotTrusted: Told(400, "invalid_request"),
    e.Ambiguous: Told(400, "invalid_request"),
    # RFC 8693 section 2.2.2: a subject or actor token that is not good is an invalid request, not an invalid grant.
    e.Rejected: Told(400, "invalid_request"),
    e.CredentialMalformed: Told(400, "invalid_request"),
    e.CredentialTooLarge: Told(400, "invalid_request"),
    e.SignatureInvalid: Told(400, "invalid_request"),
    e.KeyUnknown: Told(400, "invalid_request"),
    e.AlgorithmRefused: Told(400, "invalid_request"),
    e.Expired: Told(400, "invalid_request"),
    e.NotYetValid: Told(400, "invalid_request"),
    e.AudienceMismatch: Told(400, "invalid_request"),
    e.PossessionMissing: Told(400, "invalid_request"),
    e.Replayed: Told(400, "invalid_request"),
    e.IdentifierTooLong: Told(400, "invalid_request"),
    e.Denied: Told(400, "access_denied"),
    e.TargetDenied: Told(400, "invalid_target"),
    e.ScopeDenied: Told(400, "invalid_scope"),
    e.ActorDenied: Told(400, "invalid_request"),
    e.ChainRefused: Told(400, "invalid_request"),
    e.TokenTooLarge: Told(400, "invalid_request"),
    e.Unavailable: Told(503, "temporarily_unavailable"),
    e.DeadlineExceeded: Told(503, "temporarily_unavailable"),
    PolicyUnclear: Told(503, "temporarily_unavailable"),
    e.Fault: Told(500, "server_error"),
    e.PluginFault: Told(500, "server_error"),
}
