"""Truncates a text to a number of tokens, never inside a character."""

import unicodedata
from itertools import islice

from llmbatch.tokens.o200k import count_tokens, token_bytes

MARK = "\n\n[... the middle of this document was left out ...]\n\n"
"""Placed between the two ends of a text whose middle is cut out."""

_JOINER = "\N{ZERO WIDTH JOINER}"
_LONGEST_CLUSTER = 32
"""Maximum number of marks and joiners to follow back: stacks of thousands are not a character in any script."""


def head(text: str, tokens: int) -> str:
    """The beginning of `text` with `tokens` tokens; all of it if it has no more.

    A letter with its accents, or an emoji with what is joined to it, is kept or cut as one.
    """
    size = tokens
    while size > 0:
        taken = b"".join(islice(token_bytes(text), size)).decode("utf-8", "ignore")
        if len(taken) >= len(text):
            return text
        kept = text[: _border_before(text, len(taken))]
        excess = count_tokens(kept) - tokens  # a piece that was cut in two may have more tokens
        if excess <= 0:
            return kept
        size -= excess
    return ""


def head_tail(text: str, tokens: int) -> str:
    """Both ends of `text`, about equally long, with `MARK` between them: at most `tokens` tokens in total.

    All of the text if it has no more; only its head if there is no room for the mark.
    """
    if count_tokens(text) <= tokens:
        return text
    room = tokens - count_tokens(MARK)
    while room > 1:
        kept = head(text, room - room // 2) + MARK + _tail(text, room // 2)
        excess = count_tokens(kept) - tokens
        if excess <= 0:
            return kept
        room -= excess
    return head(text, tokens)


def _tail(text: str, tokens: int) -> str:
    """The last `tokens` tokens of `text`, without the rest of a character that this would cut."""
    pieces = list(token_bytes(text))[-tokens:]
    start = len(text) - len(b"".join(pieces).decode("utf-8", "ignore"))
    return text[_border_behind(text, start) :]


def _border_before(text: str, end: int) -> int:
    """The last position from `end` down at which no visible character is cut."""
    for place in range(end, max(end - _LONGEST_CLUSTER, 0), -1):
        if not _joins(text, place):
            return place
    return 0 if end < _LONGEST_CLUSTER else end


def _border_behind(text: str, start: int) -> int:
    """The first place from `start` up where no visible character is cut."""
    for place in range(start, min(start + _LONGEST_CLUSTER, len(text))):
        if not _joins(text, place):
            return place
    return start


def _joins(text: str, place: int) -> bool:
    """Whether what stands before and behind a place shows as one character: accents, joined emoji (UAX 29, GB9)."""
    if not 0 < place < len(text):
        return False
    behind = text[place]
    return behind == _JOINER or text[place - 1] == _JOINER or unicodedata.category(behind).startswith("M")
