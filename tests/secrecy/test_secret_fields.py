"""Every setting that holds a secret is a Secret: it does not print, whatever prints it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages
from types import ModuleType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest

import cambist
from cambist import Secret, Shape

HINTS = ("secret", "kek", "pepper", "password", "bearer", "private", "token", "credential", "proxy")
MEANT = {
    "Listen.private_key": "the path of a file",
    "Zone.max_token": "a number",
    "EgressSettings.private": "names and networks that may be called",
    "Application.assertion_audience": "a name",
}


def shapes() -> list[type[Shape]]:
    """Every settings shape of core and of the plugins that are installed."""
    packages = [cambist, *(import_module(entry.value.split(":")[0]) for entry in entry_points(group="cambist"))]
    for package in packages:
        for module in _modules(package):
            import_module(module)
    return sorted(set(_below(Shape)), key=lambda shape: f"{shape.__module__}.{shape.__qualname__}")


def _modules(package: ModuleType) -> Iterator[str]:
    for found in walk_packages(package.__path__, f"{package.__name__}."):
        if ".testing" not in found.name:
            yield found.name


def _below(shape: type[Shape]) -> Iterator[type[Shape]]:
    for child in shape.__subclasses__():
        if child.__module__.startswith("cambist"):
            yield child
        yield from _below(child)


def _holds_text(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType, tuple, Annotated):
        return any(_holds_text(one) for one in get_args(annotation))
    return annotation is str


def test_no_field_that_is_named_like_a_secret_is_plain_text() -> None:
    bare = [
        f"{shape.__name__}.{name}"
        for shape in shapes()
        for name, field in shape.model_fields.items()
        if any(hint in name for hint in HINTS) and _holds_text(field.annotation) and not name.endswith(("_type", "_types", "_id", "_url"))
    ]
    assert [name for name in bare if name not in MEANT] == []


@pytest.mark.parametrize("field", ["Application.secret_hash", "UnderKek.kek", "ApiKeySettings.pepper", "EgressSettings.proxy"])
def test_the_search_sees_those_that_there_are(field: str) -> None:
    shape, _, name = field.partition(".")
    found = [one for one in shapes() if one.__name__ == shape]
    assert found
    assert "Secret" in str(found[0].model_fields[name].annotation)


def test_a_secret_says_nothing_of_itself() -> None:
    secret = Secret("tiger-tiger-burning-bright")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{[secret]}"):
        assert "tiger" not in text
