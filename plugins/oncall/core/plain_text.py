"""What a text may hold that people read and far sides take, and a long one shortened. Pure."""

from __future__ import annotations

import re
import unicodedata

from oncall.core.redaction import redacted

LONGEST_TEXT = 1_000  # characters of one value
LONGEST_KEY = 60

# What no database, terminal or far side takes: control characters, halves of a surrogate pair; and what nobody sees, or
# what turns the words around it. Lines and tabs apart, which a text may have where it may have several lines.
_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"
)
UNSPEAKABLE = re.compile(f"[{_UNSEEN}]")
UNSPEAKABLE_ON_A_LINE = re.compile(f"[\t\n{_UNSEEN}]")
# What joins letters, or chooses how one looks: a name may have it, what is written to be compared may not.
JOINING = re.compile("[\u200c\u200d\ufe00-\ufe0f]")


def shortened(text: str) -> str:
    """The text, or the beginning of a long one; a secret is taken out before half of it is."""
    text = redacted(text)
    return text if len(text) <= LONGEST_KEY else f"{text[: LONGEST_KEY - 1]}…"


def speakable(text: str) -> str:
    """The text as a far side takes it: without secrets, on one line, of bounded length."""
    return UNSPEAKABLE_ON_A_LINE.sub("\ufffd", redacted(text))[:LONGEST_TEXT]


def odd_sign(text: str) -> str:
    """The sign that looks like one of the keyboard's and is none: a hyphen, colon, digit or space."""
    for sign in text:
        plain = unicodedata.normalize("NFKC", sign).isascii() or unicodedata.category(sign)[0] in "PSZN"
        if not sign.isascii() and plain:
            return f", with {unicodedata.name(sign, ascii(sign))} in it"
    return ""
