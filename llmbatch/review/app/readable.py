"""A document made safe to display: every line is kept, and nothing in it can act on the terminal."""

import re

from llmbatch.core.sanitize import neutral

_LINES = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_JOINERS = str.maketrans("", "", "\u200c\u200d")
"""Common in Persian and in emoji, and terminals disagree about their width."""
_TAB = "    "


def readable(text: str) -> str:
    """`text` with its line breaks; control and hidden characters are replaced by U+FFFD."""
    return "\n".join(neutral(line.replace("\t", _TAB).translate(_JOINERS)) for line in _LINES.split(text))
