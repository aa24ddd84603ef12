"""Accepted spellings of a requested label, key or number, as long as they are unambiguous."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from llmbatch.task.fields import Label, folded

_MARKS = "*_`~\"'\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb.,;:!\u3002\u3001 \t\r\n"
"""Decoration around a word: Markdown, quotes, a full stop."""
_NUMBER = re.compile(r"(?P<number>\d{1,3}(?:\.\d{1,20})?)\s*(?P<percent>%|percent)?", re.IGNORECASE)


def plain(spelling: str) -> str:
    """A word without insignificant differences: case, width, zero-width characters, marks around it."""
    wide = unicodedata.normalize("NFKC", spelling)
    visible = "".join(character for character in wide if unicodedata.category(character) != "Cf")
    return visible.strip(_MARKS).casefold()


class LabelSpellings:
    """Finds the label that a spelling means."""

    def __init__(self, labels: Sequence[Label]) -> None:
        named = [(spelling, label.name) for label in labels for spelling in (label.name, *label.aliases)]
        self._folded = {folded(spelling): name for spelling, name in named}
        plainly: defaultdict[str, set[str]] = defaultdict(set)
        for spelling, name in named:
            plainly[plain(spelling)].add(name)
        self._plain = {spelling: next(iter(names)) for spelling, names in plainly.items() if len(names) == 1}
        self._plain.pop("", None)

    def label(self, spelling: str) -> str | None:
        """The label, or None if it is not one of the task's or is ambiguous."""
        return self._folded.get(folded(spelling)) or self._plain.get(plain(spelling))


def fraction_of(spelled: float | str, *, of_100: bool) -> float | None:
    """A confidence as a fraction in 0..1, from a number or its spelling; None if it is ambiguous.

    Args:
        spelled: a JSON number or string.
        of_100: a percentage was requested. A number between 0 and 1 is then read as a fraction, since no model names a
        label with less than 1% confidence; 1.0 is ambiguous.
    """
    if isinstance(spelled, str):
        match = _NUMBER.fullmatch(unicodedata.normalize("NFKC", spelled).strip())
        if match is None:
            return None
        number, is_percent = float(match["number"]), match["percent"] is not None
        is_whole = "." not in match["number"]
    else:
        number, is_percent, is_whole = float(spelled), False, False
    if not 0 <= number <= (100 if of_100 or is_percent else 1):
        return None
    if not (of_100 or is_percent):
        return number
    if 0 < number <= 1 and not is_whole:
        return None if is_percent or number == 1 else number
    return round(number / 100, 12)
