"""Names as they are compared: without case, accents and hyphens, and by their sound. Pure; nothing here is kept."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

_LETTERS_WITHOUT_PARTS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "Æ": "AE"})
_NO_NAME = frozenset({"UNKNOWN", "NOT", "KNOWN", "NA", "NONE", "NIL", "ANON", "ANONYMOUS", "MR", "MRS", "MS", "MISS"})
"""Words that people write where they know no name, and titles."""
_FIRST_SOUNDS = (("PH", "F"), ("KN", "N"), ("GN", "N"), ("WR", "R"), ("RH", "R"), ("PS", "S"), ("MC", "MAC"))
_CLASSES = {
    letter: number
    for number, letters in {"1": "BFPV", "2": "CGJKQSXZ", "3": "DT", "4": "L", "5": "MN", "6": "R"}.items()
    for letter in letters
}
_VOWELS = "AEIOUY"


def words(text: str) -> list[str]:
    """The words of a name in capitals: O'Brien-Núñez gives OBRIEN and NUNEZ; what says that no name is known, none."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS_WITHOUT_PARTS))
    joined = re.sub("['\u2019`.]", "", "".join(c for c in plain if not unicodedata.combining(c))).upper()
    return [word for word in re.findall(r"[^\W\d_]+", joined) if word not in _NO_NAME]


def sound(word: str) -> str:
    """Soundex, but for the first letter: also it becomes its class, so that Catherine meets Kathryn."""
    for written, heard in _FIRST_SOUNDS:
        if word.startswith(written):
            word = heard + word[len(written) :]
            break
    code, last = "", ""
    for letter in word:
        number = _CLASSES.get(letter, "")
        if number and number != last:
            code += number
        elif not code:
            code = "0" if letter in _VOWELS else letter
        if letter not in "HW":
            last = number
    return code[:4].ljust(4, "0")


def born(text: str) -> date | None:
    """A date of birth, or None where it is empty or no day of the calendar."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
