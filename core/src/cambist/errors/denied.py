"""The policy of the zone, or a bound that it set, says no."""

from __future__ import annotations

from .refusal import Refusal


class Denied(Refusal):
    """The policy of the zone does not allow this."""

    reason = "policy_denied"
    hint = "`cambist explain` with the decision id shows what the policy was asked and what it answered."


class TargetDenied(Denied):
    """The policy does not allow this target."""

    reason = "target_denied"
    hint = "Ask for another target, or have the policy allow this one."


class ScopeDenied(Denied):
    """None of the scopes asked for is left after policy and proof."""

    reason = "scope_denied"
    hint = "Ask for scopes that the policy allows and that the credential itself carries."


class ActorDenied(Denied):
    """The actor may not act for this subject."""

    reason = "actor_not_permitted"
    hint = (
        "The subject token's may_act must name the actor, or the actor must be the authenticated application and the policy must allow it."
    )


class ChainRefused(Denied):
    """The delegation chain is too deep, or loops."""

    reason = "delegation_chain_refused"
    hint = "Exchange an earlier token of the chain, or raise `max_chain` in the zone."


class TokenTooLarge(Denied):
    """The token would be larger than resource servers accept in a header."""

    reason = "token_too_large"
    hint = "Have the policy add fewer claims; long names of subject, actors or targets count too."
