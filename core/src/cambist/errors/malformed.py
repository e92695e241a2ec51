"""The request cannot be read."""

from __future__ import annotations

from .refusal import Refusal


class Malformed(Refusal):
    """The request could not be read."""

    reason = "malformed"
    likely = "The body is cut, not valid JSON, not percent-encoded, or of another media type than its header says."
    hint = "Compare the request with the example of its endpoint."


class BodyTooLarge(Malformed):
    """The body is larger than this service reads."""

    reason = "body_too_large"
    likely = "A token with very many claims, or something that is no request of this service."
    hint = "Send less, or raise `listen.max_body` on the server."


class HeadTooLarge(Malformed):
    """The request line and headers are larger, or more, than this service reads."""

    reason = "head_too_large"
    likely = "A proxy adds headers, or a token was sent as a header or in the URL."
    hint = "Send fewer and shorter headers, or raise `listen.limits.max_head` and `max_headers` on the server."


class FramingUnsound(Malformed):
    """The message is not sound HTTP/1.1: two readers could see two different requests in it (RFC 9112)."""

    reason = "framing_unsound"
    likely = "A client, or a proxy in between, writes HTTP by hand."
    hint = "Send the request by an HTTP library; a proxy in between may have changed it."


class NotArrived(Malformed):
    """The request did not arrive in time."""

    reason = "not_arrived"
    likely = "The connection is slow or was given up, or Content-Length says more than was sent."
    hint = "Send the whole request at once; `listen.limits.head_timeout` and `listen.body_timeout` say how long is waited."


class MediaTypeUnsupported(Malformed):
    """The endpoint does not take this media type."""

    reason = "media_type_unsupported"
    likely = "A form was sent to the JSON endpoint, or JSON to the form endpoint."
    hint = "The form endpoint takes application/x-www-form-urlencoded, the JSON endpoint application/json; a zone may `accept` both."


class MethodNotAllowed(Malformed):
    """The endpoint does not take this method."""

    reason = "method_not_allowed"
    likely = "A token endpoint was opened in a browser, or a redirect turned POST into GET."
    hint = "Use the method named in the Allow header."


class PathUnknown(Malformed):
    """Nothing is served at this path."""

    reason = "path_unknown"
    likely = "A path of another token service, a final slash, or a prefix that a proxy should have taken away."
    hint = "See /.well-known/oauth-authorization-server for the endpoints."


class ParameterMissing(Malformed):
    """A required parameter is missing or empty."""

    reason = "parameter_missing"
    likely = "The variable that holds the value is empty."
    hint = "Add the parameter that is named."


class ParameterRepeated(Malformed):
    """A parameter that may be given once was given more often (RFC 6749 section 3.2)."""

    reason = "parameter_repeated"
    likely = "A parameter is set by the library and by hand."
    hint = "Send the parameter once; only `resource` and `audience` repeat."


class ParameterInvalid(Malformed):
    """A parameter has a value that is not allowed."""

    reason = "parameter_invalid"
    likely = "The value is of another type, has a line break in it, or stands in the URL in place of the body."
    hint = "Correct the parameter that is named."


class ParameterUnsupported(Malformed):
    """A parameter asks for a feature that this service does not have; it is refused rather than ignored."""

    reason = "parameter_unsupported"
    likely = "The client was written for another token service."
    hint = "Leave the parameter out."


class ScopeMalformed(Malformed):
    """The scope is not a list of scope tokens separated by single spaces (RFC 6749 section 3.3)."""

    reason = "scope_malformed"
    likely = "Scopes were separated by two spaces or a line break, or sent as a list."
    hint = "Separate scopes with one space; no tabs, quotes or backslashes."


class GrantTypeUnsupported(Malformed):
    """The grant type is not served at this endpoint."""

    reason = "grant_type_unsupported"
    likely = "The client's default grant type was left as it is, or the name was mistyped."
    hint = "Use urn:ietf:params:oauth:grant-type:token-exchange."


class ResponseTypeUnsupported(Malformed):
    """Nothing begins in a browser here: this service has no response types."""

    reason = "response_type_unsupported"
    likely = "The client was set up for a flow in which a person signs in."
    hint = "Ask the token endpoint; /.well-known/oauth-authorization-server lists its grant types."


class TokenTypeUnknown(Malformed):
    """The token type is not one this service knows."""

    reason = "token_type_unknown"
    likely = "The name of the type was mistyped, or is that of another token service."
    hint = "Use one of the types that are listed."


class TokenTypeNotEnabled(Malformed):
    """The token type is known, but no plugin for it is enabled in this zone."""

    reason = "token_type_not_enabled"
    likely = "The plugin is not installed, or has no table in the settings of this zone."
    hint = "Install and enable the plugin for this type: `cambist plugins` lists what is there."


class ZoneUnknown(Malformed):
    """There is no zone of this name."""

    reason = "zone_unknown"
    likely = "A zone_id of another environment, or a mistyped one."
    hint = "Check zone_id; without it the zone is `default`."


class TargetMissing(Malformed):
    """Nothing says for whom the token is meant, and the caller has no default target."""

    reason = "target_missing"
    likely = "The client sends neither audience nor resource, as some libraries do."
    hint = "Send `audience` or `resource`, or give the application or the issuer's entry a default_target."


class TargetInvalid(Malformed):
    """A target is neither a declared resource nor an absolute URI without a fragment (RFC 8707 section 2)."""

    reason = "target_invalid"
    likely = "A bare name was sent that no resource in the settings has, or a URL without its scheme."
    hint = "Declare the resource, or send an absolute URI."


class LifetimeAboveCap(Malformed):
    """The lifetime asked for is above the cap."""

    reason = "ttl_above_cap"
    likely = "A ttl_seconds that suits another token service."
    hint = "Ask for no more than the cap that is named."
