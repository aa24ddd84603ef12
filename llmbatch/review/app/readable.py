"""A document as a reviewer reads it: every line of it, and nothing that a terminal would obey."""

import re

from llmbatch.core.sanitize import neutral

_LINES = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_JOINERS = str.maketrans("", "", "\u200c\u200d")
"""Persian and emoji are full of them, and terminals disagree about their width."""
_TAB = "    "


def readable(text: str) -> str:
    """`text` with its lines kept; control and hidden characters show as U+FFFD."""
    return "\n".join(neutral(line.replace("\t", _TAB).translate(_JOINERS)) for line in _LINES.split(text))
