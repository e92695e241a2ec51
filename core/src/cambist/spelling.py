"""Two names that a reader takes for one: what is different about them, so that a refusal can say it.

Names are compared letter by letter, everywhere. This is for the words afterwards, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

_PORTS = {"https://": ":443", "http://": ":80"}


def folded(name: str) -> str:
    """The same for all names that differ in nothing but case, spaces around them, scheme, usual port or a final slash."""
    name = name.strip().lower()
    for scheme, port in _PORTS.items():
        if name.startswith(scheme):
            host, slash, rest = name.removeprefix(scheme).partition("/")
            name = f"{host.removesuffix(port)}{slash}{rest}"
            break
    return name.rstrip("/")


def differences(one: str, other: str) -> list[str]:
    """In what two names differ that are otherwise alike; nothing for names that are the same, or others altogether."""
    if one == other or folded(one) != folded(other):
        return []
    return list(_found(one.strip(), other.strip())) or ["spaces around it"]


def _found(one: str, other: str) -> Iterable[str]:
    if one.endswith("/") != other.endswith("/"):
        yield "a final slash"
    one, other = one.rstrip("/"), other.rstrip("/")
    if one != other and one.lower() == other.lower():
        yield "capital and small letters"
    elif one.lower() != other.lower():
        yield "the scheme" if one.partition("://")[0].lower() != other.partition("://")[0].lower() else "the port"


def overlooked(expected: object, seen: object) -> tuple[str, list[str]] | None:
    """The expected name that something seen was meant to be, and in what it differs; None where it is another name altogether."""
    wanted = _texts(expected)
    for text in _texts(seen):
        for name in wanted:
            if found := differences(name, text):
                return name, found
        for name in wanted:
            if text and name.endswith((f":{text}", f"/{text}")):
                return name, ["its beginning"]
    return None


def _texts(value: object) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [text for text in listed[:20] if isinstance(text, str) and len(text) <= 512]
