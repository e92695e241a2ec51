"""The rules for whoever judges credentials. The heart: every small change to a good one is refused."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ...clock import Clock
from ...credential import NOTHING, Credential, Role
from ...errors import PluginFault, Refusal, Rejected, Unclaimed
from ...guard import Guard
from ...identity import Proven
from ...validator import Seated, Takers, Validator
from ..changes import small_changes
from ..clock import MovableClock
from ..service import ISSUER

PATIENCE = 2.0
"""How long one judgement may take, in seconds."""
HOLD = 0.05
"""How long the event loop may be held, in seconds: everybody waits meanwhile."""
LONG = 1024 * 1024


class _Tracked(str):
    """A text that can be seen to be forgotten."""

    __slots__ = ("__weakref__",)


class ValidatorContract:
    """Subclass it, and supply `validator` and `good`; `wrong`, `secrets` and `clock` where there is something to say.

    Credentials are judged as in the service: by the guard around the validator, for a zone whose issuer is `audience`.
    """

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock of the guard; it stands at MovableClock's noon."""
        return MovableClock()

    @pytest.fixture
    def audience(self) -> str:
        """What a credential must be meant for."""
        return ISSUER

    @pytest.fixture
    def validator(self) -> Validator:
        raise NotImplementedError("supply the validator that is tested, as a fixture of this name")

    @pytest.fixture
    def good(self) -> Credential:
        raise NotImplementedError("supply a good credential, as a fixture of this name")

    @pytest.fixture
    def wrong(self) -> Mapping[str, str]:
        """Precisely wrong credentials, each by the rule that it breaks; `Forge.wrong()` makes them for JWTs."""
        return {}

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        """What the validator knows and must not tell."""
        return ()

    @pytest.fixture
    def guard(self, validator: Validator, audience: str, clock: Clock) -> Guard:
        takers = Takers.of([Seated("under-test", validator)])
        return Guard(takers={Role.SUBJECT: takers, Role.ACTOR: takers}, audiences=frozenset({audience}), max_token=2 * LONG, clock=clock)

    def test_it_fills_the_seam(self, validator: Validator) -> None:
        assert isinstance(validator, Validator), "it lacks token_types, issuers, recognizes or validate (docs/reference/hooks.md)"
        assert validator.token_types, "it takes no token type"
        for name in validator.token_types:
            assert ":" in name, f"token type {name!r} is no absolute URI (RFC 8693 section 3)"

    def test_a_good_credential_is_proved(self, guard: Guard, good: Credential) -> None:
        outcome = _judged(guard, good)
        assert isinstance(outcome, Proven), f"the good credential was refused: {_told(outcome)}"

    def test_it_is_proved_alike_each_time(self, guard: Guard, good: Credential) -> None:
        """What is accepted once is for the core to mark: a validator that keeps count does so for one process only."""
        first, second = _judged(guard, good), _judged(guard, good)
        assert isinstance(second, Proven), f"the second judgement differs: {_told(second)}; validators spend nothing (design section 4)"
        assert isinstance(first, Proven)
        assert second.identity == first.identity, "one credential proved two identities (invariant I2)"

    def test_fifty_at_once_are_judged_like_one(self, guard: Guard, good: Credential) -> None:
        async def together() -> list[object]:
            return list(await asyncio.gather(*(_prove(guard, good) for _ in range(50))))

        assert all(isinstance(outcome, Proven) for outcome in asyncio.run(together())), "judging side by side changes the verdict"

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_every_small_change_to_a_good_credential_is_refused(self, data: st.DataObject, guard: Guard, good: Credential) -> None:
        changed = data.draw(small_changes(good.token))
        if not self.is_twin(good.token, changed):
            outcome = _judged(guard, replace(good, token=changed))
            assert _is_refused(outcome), (
                f"a changed credential was {_told(outcome)}: {changed!r} (invariant I9: what is signed is what is read)"
            )

    def is_twin(self, good: str, changed: str) -> bool:
        """Whether a change leaves the very same credential, such as the other valid signature of one message. Rarely."""
        return False

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(junk=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
    def test_junk_is_refused(self, junk: str, guard: Guard, good: Credential) -> None:
        outcome = _judged(guard, replace(good, token=junk))
        assert _is_refused(outcome), f"junk was {_told(outcome)}: {junk!r} (invariant I6: any failure ends in a refusal)"

    @pytest.mark.parametrize("long", ["A" * LONG, "." * LONG, "A." * (LONG // 2), "[" * LONG], ids=["letters", "dots", "pairs", "brackets"])
    def test_a_megabyte_is_refused(self, long: str, guard: Guard, good: Credential) -> None:
        outcome = _judged(guard, replace(good, token=long))
        assert _is_refused(outcome), f"a megabyte was {_told(outcome)} (invariant I11: work before authentication is bounded)"

    def test_each_precisely_wrong_credential_is_refused(self, guard: Guard, good: Credential, wrong: Mapping[str, str]) -> None:
        accepted = [rule for rule, token in wrong.items() if not _is_refused(_judged(guard, replace(good, token=token)))]
        assert not accepted, "accepted, though it breaks the rule: " + "; ".join(accepted)

    def test_it_does_not_hold_the_event_loop(self, guard: Guard, good: Credential) -> None:
        held = min(asyncio.run(_longest_hold(guard, good)) for _ in range(3))
        assert held < HOLD, f"it held the event loop for {held * 1000:.0f} ms: put blocking work into asyncio.to_thread (security.md U4)"

    def test_it_remembers_no_credential(self, validator: Validator, guard: Guard, good: Credential) -> None:
        token = _Tracked(good.token)
        seen = weakref.ref(token)
        _judged(guard, replace(good, token=token))
        del token
        gc.collect()
        assert seen() is None, "it keeps the credential after the judgement: keep a digest if anything must be kept (security.md I10)"

    def test_nothing_secret_is_told(
        self, validator: Validator, guard: Guard, good: Credential, secrets: Iterable[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            outcomes = [_judged(guard, good), _judged(guard, replace(good, token=good.token + "A"))]
        told = "\n".join([repr(validator), caplog.text, *map(_everything, outcomes)])
        for secret in (good.token, *secrets):
            assert secret not in told, "a secret is in its repr, log or error: use cambist.Secret and field(repr=False) (invariant I10)"


def _judged(guard: Guard, credential: Credential) -> object:
    return asyncio.run(_prove(guard, credential))


async def _prove(guard: Guard, credential: Credential) -> object:
    """The proof, or what was raised instead of one."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await guard.prove(credential, NOTHING)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return error


def _is_refused(outcome: object) -> bool:
    """A refusal of the credential. A fault is none: the caller would get a 500, and could cause it at will."""
    return isinstance(outcome, Rejected | Unclaimed)


def _told(outcome: object) -> str:
    if isinstance(outcome, Proven):
        return "accepted"
    if isinstance(outcome, PluginFault):
        cause = outcome.__cause__ or outcome.facts.get("cause")
        return f"a fault of the plugin ({cause!r}): raise cambist.Rejected for a bad credential, and nothing else"
    if isinstance(outcome, TimeoutError):
        return f"not judged within {PATIENCE} s"
    return f"{type(outcome).__name__}: {outcome}"


def _everything(outcome: object) -> str:
    return f"{outcome!r} {outcome} {outcome.facts}" if isinstance(outcome, Refusal) else repr(outcome)


async def _longest_hold(guard: Guard, good: Credential) -> float:
    """How long another task had to wait at the most while a credential was judged, in seconds."""
    longest, done = 0.0, False

    async def tick() -> None:
        nonlocal longest
        while not done:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await _prove(guard, good)
    done = True
    await ticking
    return longest
