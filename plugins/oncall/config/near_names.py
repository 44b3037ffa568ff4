"""The name that was probably meant by one that nobody knows. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from oncall.core.plain_text import LONGEST_KEY, LONGEST_TEXT, shortened

MOST_NAMED = 30  # choices that a problem names


def suggestion(text: str, known: Iterable[str], write: str) -> str:
    """`write`, the choices, and which of them was probably meant."""
    choices = [shortened(each) for each in known]
    near = nearest(text, choices)
    hint = f" (did you mean {near}?{_look_alikes(text, near)})" if near else ""
    more = f" or {len(choices) - MOST_NAMED} others" if len(choices) > MOST_NAMED else ""
    return f"{write} {', '.join(choices[:MOST_NAMED])}{more}{hint}"


def nearest(text: str, choices: Iterable[str]) -> str:
    """The choice that was probably meant, in capitals or not; "" when it is none of them."""
    written = text[:LONGEST_KEY].casefold()
    folded = {shortened(each).casefold(): each for each in islice(choices, LONGEST_TEXT)}
    # Another number is another person: whoever takes the hint would have somebody else paged.
    same = [each for each in folded if _numbers(each) & _numbers(written)]
    found = get_close_matches(written, same, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def _numbers(text: str) -> set[tuple[int, ...]]:
    """The numbers in it, as they stand and with the letters that are taken for digits."""
    both = (text, text.translate(str.maketrans("oil", "011")))
    return {tuple(int(number) for number in re.findall(r"\d+", each, re.ASCII)) for each in both}


def _look_alikes(text: str, meant: str) -> str:
    """Of two names that may look the same: by which letter they differ, where no keyboard here has it."""
    odd = (
        each
        for each in f"{text[:LONGEST_KEY]}{meant}"
        if not each.isascii() and text.count(each) != meant.count(each)
    )
    letter = next(odd, "")
    return f" They differ by {unicodedata.name(letter, ascii(letter))}" if letter else ""
