"""Names as they are compared: without case, accents and hyphens, and by their sound. Pure; nothing here is kept."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

_LETTERS_WITHOUT_PARTS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "Æ": "AE"})
_NO_NAME = frozenset({"UNKNOWN", "NOT", "KNOWN", "NA", "NONE", "NIL", "ANON", "ANONYMOUS", "MR", "MRS", "MS", "MISS"})
"""Words that people write where they know no name, and titles."""
_FIRST_SOUNDS = {"PH": "F", "KN": "N", "GN": "N", "WR": "R", "RH": "R", "PS": "S", "MC": "MAC"}
_CLASSES = {
    letter: number
    for number, letters in {"1": "BFPV", "2": "CGJKQSXZ", "3": "DT", "4": "L", "5": "MN", "6": "R"}.items()
    for letter in letters
}
_VOWELS = "AEIOUY"
_WITHIN_WORDS = re.compile("['\u2019`.]")
_WORD = re.compile(r"[^\W\d_]+")


def words(text: str) -> list[str]:
    """The words of a name in capitals: O'Brien-Núñez gives OBRIEN and NUNEZ; what says that no name is known, none."""
    if text.isascii() and text.isalpha():  # as most names are written
        found = [text.upper()]
    elif text.isascii():
        found = _WORD.findall(_WITHIN_WORDS.sub("", text).upper())
    else:
        plain = unicodedata.normalize("NFKD", text.translate(_LETTERS_WITHOUT_PARTS))
        joined = _WITHIN_WORDS.sub("", "".join(c for c in plain if not unicodedata.combining(c))).upper()
        found = _WORD.findall(joined)
    return [word for word in found if word not in _NO_NAME]


def sound(word: str) -> str:
    """Soundex, but for the first letter: also it becomes its class, so that Catherine meets Kathryn."""
    heard = _FIRST_SOUNDS.get(word[:2])
    if heard is not None:
        word = heard + word[2:]
    code, last = "", ""
    for letter in word:
        number = _CLASSES.get(letter, "")
        if number and number != last:
            code += number
            if len(code) == 4:
                return code
        elif not code:
            code = "0" if letter in _VOWELS else letter
        if letter not in "HW":
            last = number
    return code.ljust(4, "0")


def born(text: str) -> date | None:
    """A date of birth, or None where it is empty or no day of the calendar."""
    if not text:  # an error costs as much as all else that is made of a name
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
