"""Judges a sample token check by check, past the first that fails. What `Jwts.verify` asks is asked here of the same functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .check import Check, Sample, State, differing, tried
from .compact import Compact
from .errors import AudienceMismatch, CredentialMalformed, IssuerNotTrusted, Refusal
from .jwts import Jwts, algorithm_of, check_claims, check_signature, check_type
from .spelling import differences
from .verified import Expected, Verified

Rule = tuple[str, Callable[[Verified], object]]
"""What a plugin asks beyond what every JWT must be: its name, and what raises a Refusal where it does not hold."""
Rules = Callable[[Expected], Iterable[Rule]]


async def examined(
    jwts: Jwts, sample: Sample, expected: Mapping[str, Expected], rules: Rules = lambda _: (), *, by_keys: bool = True
) -> Sequence[Check]:
    """All checks of a sample, against whose it is meant to be; `by_keys` unless somebody else vouches for its signature."""
    try:
        compact = Compact.parse(sample.credential.token)
    except CredentialMalformed as error:
        return [Check.refused("form", error)]
    form = Check.passed("form", f"a JWT, signed {compact.header.get('alg')} by key {compact.header.get('kid', '(no kid)')}")
    wanted = _whose(sample.issuer or compact.issuer, expected)
    if wanted is None:
        return [form, Check.refused("issuer", IssuerNotTrusted(expected=sorted(expected), seen=compact.issuer))]
    checks = [form, _issuer(compact, wanted), tried("type", lambda: check_type(compact.header, wanted), "of a kind that is accepted (typ)")]
    if by_keys:
        checks += await _signature(compact, wanted)
    return [*checks, *claims(jwts, sample, Verified(compact.claims, wanted), rules)]


def claims(jwts: Jwts, sample: Sample, verified: Verified, rules: Rules = lambda _: ()) -> Iterator[Check]:
    """The checks of claims, whoever vouches for them."""
    told, expected = verified.claims, verified.expected
    shape = tried("claims", lambda: check_claims(told, expected.subject), f"{expected.subject} is {told.get(expected.subject)!r}")
    yield shape
    yield tried("times", lambda: jwts.check_times(told, expected), _ends(told, jwts))
    if shape.state is State.FAILED:
        yield Check.noted("rules", "what the plugin asks beyond this was not looked at")
        return
    yield tried("audience", lambda: _check_audience(verified, sample.audiences), f"for {', '.join(sorted(verified.audience))}")
    for name, rule in rules(expected):
        yield tried(name, lambda rule=rule: rule(verified), "as it must be")  # type: ignore[misc]  # each its own rule
    if "act" in told:
        yield tried("delegation", lambda: verified.chain, "its chain of actors is believed")


def _whose(issuer: str | None, expected: Mapping[str, Expected]) -> Expected | None:
    """The entry of an issuer, or of the one whose name a reader takes for it: so the rest can be looked at too."""
    return next((wanted for name, wanted in expected.items() if issuer is not None and (name == issuer or differences(name, issuer))), None)


def _issuer(compact: Compact, wanted: Expected) -> Check:
    if compact.issuer == wanted.issuer:
        return Check.passed("issuer", wanted.issuer)
    refusal = IssuerNotTrusted(expected=wanted.issuer, seen=compact.issuer)
    said = f"it names another issuer than the settings{differing(wanted.issuer, compact.issuer)}"
    return Check.refused("issuer", refusal, said)


async def _signature(compact: Compact, wanted: Expected) -> Sequence[Check]:
    """Algorithm, key and signature: each needs the one before."""
    try:
        algorithm = algorithm_of(compact.header, wanted.algorithms)
    except Refusal as refusal:
        return [Check.refused("algorithm", refusal)]
    good = Check.passed("algorithm", f"{algorithm}, which is allowed")
    try:
        key = await wanted.keys.find(compact.header.get("kid"), algorithm)
    except Refusal as refusal:
        return [good, Check.refused("key", refusal)]
    return [good, tried("signature", lambda: check_signature(compact.jws, key, algorithm), f"verifies with key {key.id}")]


def _check_audience(verified: Verified, zone: frozenset[str]) -> None:
    accepted = verified.expected.audiences or zone
    if verified.audience.isdisjoint(accepted):
        raise AudienceMismatch(expected=sorted(accepted), seen=sorted(verified.audience))


def _ends(told: Mapping[str, Any], jwts: Jwts) -> str:
    end = told.get("exp")
    return f"ends in {end - jwts.clock():.0f} s" if isinstance(end, int | float) else "they hold"
