"""Why a case is not run: a fixed list, so that nothing is passed over without a reason that can be counted."""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """The reasons."""

    PLUGIN = "plugin not enabled"
    NOT_HTTP = "not expressible over HTTP"
    NO_KEY = "no key for it"
    SYMMETRIC = "HMAC is not served"
    ENCRYPTION = "encryption is not served"
    NO_FUNCTION = "no public function judges it"
    DIFFERENT = "declared difference"
    INPUT = "input is not understood"
    SET = "set is not understood"
    LIBRARY = "guards a library, not this service"


class Skipped(Exception):
    """This case is not run, for one of the reasons."""

    def __init__(self, why: Why, note: str = "") -> None:
        super().__init__(f"{why}: {note}" if note else str(why))
        self.why, self.note = why, note
