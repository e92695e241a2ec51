"""The request cannot be read."""

from __future__ import annotations

from .refusal import Refusal


class Malformed(Refusal):
    """The request could not be read."""

    reason = "malformed"
    hint = "Compare the request with the example of its endpoint."


class BodyTooLarge(Malformed):
    """The body is larger than this service reads."""

    reason = "body_too_large"
    hint = "Send less, or raise `listen.max_body` on the server."


class HeadTooLarge(Malformed):
    """The request line and headers are larger, or more, than this service reads."""

    reason = "head_too_large"
    hint = "Send fewer and shorter headers, or raise `listen.limits.max_head` and `max_headers` on the server."


class FramingUnsound(Malformed):
    """The message is not sound HTTP/1.1: two readers could see two different requests in it (RFC 9112)."""

    reason = "framing_unsound"
    hint = "Send the request by an HTTP library; a proxy in between may have changed it."


class NotArrived(Malformed):
    """The request did not arrive in time."""

    reason = "not_arrived"
    hint = "Send the whole request at once; `listen.limits.head_timeout` and `listen.body_timeout` say how long is waited."


class MediaTypeUnsupported(Malformed):
    """The endpoint does not take this media type."""

    reason = "media_type_unsupported"
    hint = "The form endpoint takes application/x-www-form-urlencoded, the JSON endpoint application/json; a zone may `accept` both."


class MethodNotAllowed(Malformed):
    """The endpoint does not take this method."""

    reason = "method_not_allowed"
    hint = "Use the method named in the Allow header."


class PathUnknown(Malformed):
    """Nothing is served at this path."""

    reason = "path_unknown"
    hint = "See /.well-known/oauth-authorization-server for the endpoints."


class ParameterMissing(Malformed):
    """A required parameter is missing or empty."""

    reason = "parameter_missing"
    hint = "Add the parameter that is named."


class ParameterRepeated(Malformed):
    """A parameter that may be given once was given more often (RFC 6749 section 3.2)."""

    reason = "parameter_repeated"
    hint = "Send the parameter once; only `resource` and `audience` repeat."


class ParameterInvalid(Malformed):
    """A parameter has a value that is not allowed."""

    reason = "parameter_invalid"
    hint = "Correct the parameter that is named."


class ParameterUnsupported(Malformed):
    """A parameter asks for a feature that this service does not have; it is refused rather than ignored."""

    reason = "parameter_unsupported"
    hint = "Leave the parameter out."


class ScopeMalformed(Malformed):
    """The scope is not a list of scope tokens separated by single spaces (RFC 6749 section 3.3)."""

    reason = "scope_malformed"
    hint = "Separate scopes with one space; no tabs, quotes or backslashes."


class GrantTypeUnsupported(Malformed):
    """The grant type is not served at this endpoint."""

    reason = "grant_type_unsupported"
    hint = "Use urn:ietf:params:oauth:grant-type:token-exchange."


class TokenTypeUnknown(Malformed):
    """The token type is not one this service knows."""

    reason = "token_type_unknown"
    hint = "Use one of the types that are listed."


class TokenTypeNotEnabled(Malformed):
    """The token type is known, but no plugin for it is enabled in this zone."""

    reason = "token_type_not_enabled"
    hint = "Install and enable the plugin for this type: `cambist plugins` lists what is there."


class ZoneUnknown(Malformed):
    """There is no zone of this name."""

    reason = "zone_unknown"
    hint = "Check zone_id; without it the zone is `default`."


class TargetMissing(Malformed):
    """Nothing says for whom the token is meant, and the caller has no default target."""

    reason = "target_missing"
    hint = "Send `audience` or `resource`, or give the application a default_target."


class TargetInvalid(Malformed):
    """A target is neither a declared resource nor an absolute URI without a fragment (RFC 8707 section 2)."""

    reason = "target_invalid"
    hint = "Declare the resource, or send an absolute URI."


class LifetimeAboveCap(Malformed):
    """The lifetime asked for is above the cap."""

    reason = "ttl_above_cap"
    hint = "Ask for no more than the cap that is named."
