"""Tells the addresses of service accounts from those of people, and whose project an account belongs to."""

from __future__ import annotations

import re

_PLACE = r"(?P<project>[a-z][a-z0-9-]*)(?P<domain>(?:\.[a-z0-9-]+)*)"
_NUMBERED = r"(?P<project>[0-9]+)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"[a-z0-9-]+@{_PLACE}\.iam\.gserviceaccount\.com",
        rf"{_PLACE}@appspot\.gserviceaccount\.com",
        rf"{_NUMBERED}-compute@developer\.gserviceaccount\.com",
        rf"{_NUMBERED}@(?:cloudbuild|cloudservices)\.gserviceaccount\.com",
    )
)
_ANY = re.compile(r"[a-z0-9.-]+@(?:[a-z0-9-]+\.)+gserviceaccount\.com")
_ID = re.compile("[0-9]{1,30}")


def is_account(email: str) -> bool:
    """Only Google gives addresses below this domain, and none to a person."""
    return _ANY.fullmatch(email) is not None


def is_id(text: str) -> bool:
    """Whether it is the number that an account is given once, and no account again."""
    return _ID.fullmatch(text) is not None


def project_of(email: str) -> str | None:
    """The id or the number of the project, whichever stands in the address; None: neither does."""
    for form in _FORMS:
        if found := form.fullmatch(email):
            domain = found.groupdict().get("domain")
            # A project of an organization of old is called example.com:name, and written name.example.com here.
            return f"{domain[1:]}:{found['project']}" if domain else found["project"]
    return None
