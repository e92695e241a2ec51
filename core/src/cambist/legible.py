"""What a stranger wrote, as it may be shown: no longer than it may be, and with nothing in it that is obeyed and not seen."""

from __future__ import annotations

import re

# C0 and C1 controls, which terminals obey; line separators; what turns the direction of text or is not seen at all; halves of characters.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]")
_REPLACED = "\ufffd"


def legible(text: str, most: int) -> str:
    """A text of so many characters, without control characters; what is cut off leaves a mark."""
    if len(text) > most:
        text = f"{text[:most]}…"
    # Most texts are plain, and looked at once.
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub(_REPLACED, text)
