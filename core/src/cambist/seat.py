"""One plugin at its place: the host that it sees, and the table that it claims."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .clock import Clock
from .egress import Egress
from .hooks import SettingsRefused
from .jwts import Jwts
from .keys import Horizon
from .settings import validated
from .shape import Shape
from .store import Namespaced, Store
from .zone import Zone

S = TypeVar("S", bound=Shape)
Background = Callable[[str, Coroutine[Any, Any, None]], None]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What all seats stand on."""

    http: Egress
    jwts: Jwts
    clock: Clock
    issuer: str
    background: Background
    horizon: Horizon = field(default_factory=Horizon)
    claims: dict[str, Shape] = field(default_factory=dict)
    """Every table that a plugin claimed, by its path, as the plugin was given it."""


@dataclass(kw_only=True)
class Seat:
    """A `Host`, and in a zone a `ZoneHost`, for one plugin.

    Its store is its own corner; `problems` collects what is wrong with its table.
    """

    plugin: str
    path: str
    table: Mapping[str, Any] = field(repr=False)
    ground: Ground
    shared: Store | None = None
    within: Zone | None = None
    problems: list[str] = field(default_factory=list)
    claimed: bool = False

    @property
    def http(self) -> Egress:
        return self.ground.http

    @property
    def jwts(self) -> Jwts:
        return self.ground.jwts

    @property
    def clock(self) -> Clock:
        return self.ground.clock

    @property
    def issuer(self) -> str:
        return self.within.issuer if self.within else self.ground.issuer

    @property
    def horizon(self) -> Horizon:
        return self.ground.horizon

    @property
    def zone(self) -> Zone:
        if self.within is None:
            raise LookupError("only what judges is offered in a zone")
        return self.within

    @property
    def store(self) -> Store:
        if self.shared is None:
            raise LookupError("there is no store yet while stores are offered")
        return Namespaced(self.shared, f"plugin/{self.plugin}")

    def settings(self, shape: type[S]) -> S:
        self.claimed = True
        if type(known := self.ground.claims.get(self.path)) is shape:  # it was asked for before, and a shape is frozen
            return known
        if (found := validated(shape, self.table, f"{self.path}.", self.problems)) is None:
            raise SettingsRefused
        self.ground.claims[self.path] = found
        return found

    def background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.ground.background(f"{self.plugin}: {name}", work)

    def unclaimed(self) -> list[str]:
        """Keys that nobody asked for are a mistake that must not sleep."""
        return (
            [] if self.claimed or not self.table else [f"{self.path}.{key}: plugin {self.plugin} takes no settings" for key in self.table]
        )
