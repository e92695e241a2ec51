"""The five hookspecs, and all that a plugin may lean on.

A hook is called when something opens, never for a request: it offers objects, the objects do the work. No credential
ever passes through pluggy. What judges (validators, policies) is offered for each zone, what keeps (key stores, stores,
observers) once for the service.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import pluggy

from .audit import Observer
from .check import Check, Sample, Trust
from .clock import Clock
from .egress import Egress
from .jwts import Jwts
from .keys import Horizon, KeyStore
from .policy import Policy
from .shape import Shape
from .store import Store
from .validator import Validator
from .zone import Zone

if TYPE_CHECKING:
    import click

S = TypeVar("S", bound=Shape)

CONTRACT = 1
"""The version of what this file promises to plugins: the major version of the distribution, which they require."""

hookspec = pluggy.HookspecMarker("cambist")
hookimpl = pluggy.HookimplMarker("cambist")
"""Marks a function of a plugin as the hook of its name: `@hookimpl` above `def cambist_validators(host)`, which yields what it offers."""


class Host(Protocol):
    """What a plugin may lean on, whatever it offers. `http` calls out, `jwts` verifies, `store` is its own corner of the store.

    `horizon` is what a key store has to wait for when it rotates.
    """

    @property
    def http(self) -> Egress: ...
    @property
    def jwts(self) -> Jwts: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def issuer(self) -> str: ...
    @property
    def store(self) -> Store: ...
    @property
    def horizon(self) -> Horizon: ...
    def settings(self, shape: type[S]) -> S:
        """The plugin's table, as its shape. Raises SettingsRefused, which the plugin lets pass."""

    def background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the requests: cancelled when the service closes, its failure visible in /ready."""


class ZoneHost(Host, Protocol):
    """The same within one zone."""

    @property
    def zone(self) -> Zone: ...


@hookspec
def cambist_stores(host: Host) -> Iterable[Store]:  # type: ignore[empty-body]  # a hookspec only declares
    """Offer places for what may happen once and what is remembered for a while; the operator selects one by `store`."""


@hookspec
def cambist_keystores(host: Host) -> Iterable[KeyStore]:  # type: ignore[empty-body]  # a hookspec only declares
    """Offer places for signing keys; the operator selects one by `keys`."""


@hookspec
def cambist_observers(host: Host) -> Iterable[Observer]:  # type: ignore[empty-body]  # a hookspec only declares
    """Offer somebody who is told of every decision; all of them are."""


@hookspec
def cambist_validators(host: ZoneHost) -> Iterable[Validator]:  # type: ignore[empty-body]  # a hookspec only declares
    """Offer validators for the credential types this plugin can prove."""


@hookspec
def cambist_policies(host: ZoneHost) -> Iterable[Policy]:  # type: ignore[empty-body]  # a hookspec only declares
    """Offer policy backends; the operator selects one by `policy`."""


class SettingsRefused(Exception):
    """A plugin's table has problems; they were noted, and are told together with all others."""


# ── capabilities: what an offered object may also be able to do ─────────────────────────────────────────


@runtime_checkable
class CanPing(Protocol):
    """Can say whether it works."""

    async def ping(self) -> None:
        """Raises Unavailable when it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """What the command line says to a command that a plugin brings, as the object of its context.

    `zone` is what `cambist --zone` names, None where nobody named one; `zones` are all that are declared.
    """

    zone: str | None = None
    zones: frozenset[str] = frozenset()


@runtime_checkable
class HasCommand(Protocol):
    """Brings a command of its own: `cambist <plugin> …`, `cambist keys …` for a key store, `cambist store …` for a store.

    Callbacks may be coroutines. They run while the service is open; those of a key store with nothing else open but the store,
    those of a store while it is closed, so that they can mend what cannot be opened.
    """

    def command(self) -> click.Command: ...


@runtime_checkable
class CanDiagnose(Protocol):
    """Can say whom it trusts, and what of a sample would fail: a validator, for `cambist trust check`."""

    @property
    def trusts(self) -> Sequence[Trust]: ...
    async def diagnose(self, sample: Sample) -> Sequence[Check]:
        """All checks, past the first that fails. Nothing is spent, and nobody is given the sample but who is given every token."""


@runtime_checkable
class CanFind(Protocol):
    """Can read back what it was told."""

    async def find(self, decision_id: str) -> Mapping[str, Any] | None: ...
