"""The policy of the zone, or a bound that it set, says no."""

from __future__ import annotations

from .refusal import Refusal


class Denied(Refusal):
    """The policy of the zone does not allow this."""

    reason = "policy_denied"
    likely = "No rule of the policy names this subject for this target, or the subject is called otherwise than the rule says."
    hint = "Compare what was seen with the rules, letter by letter; `cambist explain` with the decision id shows what the policy answered."


class TargetDenied(Denied):
    """The policy does not allow this target."""

    reason = "target_denied"
    likely = "The rules allow the subject other targets, or several targets were asked for in one token."
    hint = "Ask for another target, or have the policy allow this one."


class ScopeDenied(Denied):
    """None of the scopes asked for is left after policy and proof."""

    reason = "scope_denied"
    likely = "The scopes are not granted, do not exist at the target, are not in the subject's own token, or were separated by commas."
    hint = "Ask for scopes that the policy allows and that the credential itself carries, separated by spaces."


class ActorDenied(Denied):
    """The actor may not act for this subject."""

    reason = "actor_not_permitted"
    likely = "The actor token is not the calling application's own, or the subject's may_act names somebody else."
    hint = (
        "The subject token's may_act must name the actor, or the actor must be the authenticated application and the policy must allow it."
    )


class ChainRefused(Denied):
    """The delegation chain is too deep, or loops."""

    reason = "delegation_chain_refused"
    likely = "A token of this service is exchanged again and again by the same parties."
    hint = "Exchange an earlier token of the chain, or raise `max_chain` in the zone."


class TokenTooLarge(Denied):
    """The token would be larger than resource servers accept in a header."""

    reason = "token_too_large"
    likely = "The policy copies large claims into the token, such as groups."
    hint = "Have the policy add fewer claims; long names of subject, actors or targets count too."
