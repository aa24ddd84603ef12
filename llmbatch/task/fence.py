"""The fence around a document, which marks where data begins and ends; no text can close or open it.

Anything that could be read as one of the fence's marks, however spelled, has its angle brackets replaced by square
ones: `</document>` becomes `[/document]`. Nothing else is changed and nothing is removed, so that the rest cannot form
another mark, and reads as before.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_OPEN, _CLOSE = "<document>", "</document>"
_WORD = "document"
_ESCAPES = (
    r"&(?:amp;)*(?:#0*\d{1,7}|#[xX]0*[0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});?",
    r"%(?:25)*[0-9a-fA-F]{2}",
    r"\\{1,8}(?:u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2})",
)
"""Character escapes of HTML, URLs and program source; each may be escaped repeatedly."""
_UNIT = re.compile("|".join((*_ESCAPES, ".")), re.DOTALL)
_TAG_LEFT = "\U000e003c"
"""The tag characters, which are invisible to people but read by models; each stands for an ASCII character."""
_LEFT = f"{_TAG_LEFT}<\uff1c\ufe64\u2039\u3008\u27e8\u2329\u300a\u00ab\u276e\u02c2\u1438\u227a"
_RIGHT = ">\uff1e\ufe65\u203a\u3009\u27e9\u232a\u300b\u00bb\u276f\u02c3\u1433\u227b"
_MAY_OPEN = re.compile(
    rf"[{_LEFT}]|&(?:amp;)*(?:lt|LT|lang|langle|laquo|lsaquo|#0*60|#[xX]0*3[cC]);?"
    r"|%(?:25)*3[cC]|\\{1,8}(?:u\{0*3[cC]\}|u003[cC]|U0000003[cC]|x3[cC])"
)
_SLASHES = frozenset("/\\\u2044\u2215\u29f8")
_UNSEEN = frozenset("CMZ")
"""Unicode categories that a reader may ignore: controls, unassigned characters, marks, spaces."""
_FILLERS = frozenset("\u115f\u1160\u3164\u2800")
_LOOK_ALIKES = str.maketrans(
    "\u0501\u043e\u0441\u0443\u043c\u0435\u0442\u03bf\u03f2\u03c5\u0578\u057d\u1d05\u1d0f\u1d04\u1d1c\u1d0d\u1d07\u0274\u1d1b",
    "documetocunudocument",
)
"""Cyrillic, Greek, Armenian and small capital letters that look like the word's letters."""


_TAGS = {0xE0000 + code: chr(code) for code in range(0x20, 0x7F)}


def build_document(text: str) -> str:
    """The last message of a request: the document alone, fenced so that it reads as data."""
    return f"{_OPEN}\n{inert(text)}\n{_CLOSE}"


def inert(text: str) -> str:
    """The text without anything that could be read as a mark of the fence.

    Whatever the case, white space and invisible characters in it, in full-width or look-alike letters, as entities.
    """
    if _MAY_OPEN.search(text) is None:  # the usual case
        return text
    parts, done = [], 0
    for left, behind, right in _marks(text):
        if left.start() < done:
            continue
        parts += [text[done : left.start()], "[", text[left.end() : behind]]
        done = behind if right is None else right
        parts += [] if right is None else ["]"]
    return "".join((*parts, text[done:]))


def _marks(text: str) -> Iterator[tuple[re.Match[str], int, int | None]]:
    """Each mark: its left bracket, the end of its word, and the end of its right bracket if that comes next."""
    tags_read = text.translate(_TAGS) if _TAG_LEFT in text else text
    for left in _MAY_OPEN.finditer(text):
        behind = _behind_word(tags_read if left[0] == _TAG_LEFT else text, left.end())
        if behind is not None:
            yield left, *_behind_bracket(text, behind)


def _behind_word(text: str, start: int) -> int | None:
    """The end of the word after a left bracket and an optional slash; None if it does not follow."""
    matched = 0
    for meant, end in _units(text, start):
        if matched == 0 and meant in _SLASHES:
            continue
        if meant and not _WORD.startswith(meant, matched):
            return None
        matched += len(meant)
        if matched == len(_WORD):
            return None if _goes_on(text, end) else end
    return None


def _goes_on(text: str, start: int) -> bool:
    """Whether the word is only the start of a longer one, as in `<documents>`."""
    following = text[start : start + 1]
    return following.isascii() and following.isalnum()


def _behind_bracket(text: str, start: int) -> tuple[int, int | None]:
    """(where to put the right bracket, the end of the existing one, if any)."""
    before = start
    for meant, end in _units(text, start):
        if meant and meant not in _SLASHES:
            return (before, end) if meant == ">" else (start, None)
        before = end
    return start, None


def _units(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Each character's meaning and end, with escapes resolved and invisible characters empty."""
    while (unit := _UNIT.match(text, start)) is not None:
        start = unit.end()
        yield _meant(unit[0]), start


@lru_cache(maxsize=4096)
def _meant(unit: str) -> str:
    characters = unicodedata.normalize("NFKD", _resolved(unit)).casefold().translate(_LOOK_ALIKES)
    seen = (one for one in characters if one not in _FILLERS and unicodedata.category(one)[0] not in _UNSEEN)
    return "".join(">" if one in _RIGHT else one for one in seen)


def _resolved(unit: str) -> str:
    """The character of an escape."""
    if len(unit) == 1:
        return unit
    if unit.startswith("&"):
        return html.unescape("&" + unit.replace("amp;", "").lstrip("&").rstrip(";") + ";")
    digits = re.sub(r"^(?:%(?:25)*|\\+[uUx]\{?)|\}$", "", unit)
    return chr(int(digits, 16)) if int(digits, 16) <= 0x10FFFF else unit  # noqa: PLR2004 - the last of Unicode
