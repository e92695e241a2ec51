"""What is known of a kind of issuer: which claims it writes, which of them are ids, and since when. Presets are data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

import tomli
from pydantic import Field

from .shape import Shape


class Preset(Shape):
    """One kind of issuer. A name of the policy stands for the claim at the end of a path; without one, for the claim of that name."""

    name: str = Field("", description="What it is called in settings.")
    dated: date = Field(date(2014, 11, 8), description="When its tokens were last compared with this.")
    issuer: str | None = Field(None, description="Its issuer, where all of its customers share one.")
    tenants: tuple[str, ...] = Field((), description="What tells its customers apart, where they share an issuer.")
    names: Mapping[str, tuple[str, ...]] = Field({}, description="Names for the policy, each with the path to the claim it stands for.")
    subject: tuple[str, ...] = Field((), description="Ids, never given twice, that make up the subject in place of `sub`.")
    needed: tuple[str, ...] = Field((), description="Names of what a token must have.")
    usual: tuple[str, ...] = Field((), description="Claims that every token has had so far.")
    known: tuple[str, ...] = Field((), description="Claims that tokens may have beside these.")
    formats: Mapping[str, str] = Field({}, description="How `sub` is written, as patterns, each by the day since when.")
    proposed: Mapping[str, str] = Field({}, description="By name, patterns of what runs have that a proposed change has caused.")


@cache
def presets(package: str) -> Mapping[str, Preset]:
    """The presets that stand in a package's presets.toml."""
    tables = tomli.loads(files(package).joinpath("presets.toml").read_text("utf-8"))
    return {name: Preset.model_validate({"name": name, **table}) for name, table in tables.items()}
