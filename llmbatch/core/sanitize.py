"""Untrusted text made harmless: for terminals, and for spreadsheets.

Documents, labels, ids, file names and servers' messages are data. In a terminal they must not move the cursor, colour
the screen, set its title or turn the reading direction; in a spreadsheet they must not run.
"""

import re

from llmbatch.core.filenames import readable

# C0 and C1 controls with DEL, line and paragraph separators, lone surrogates, and the format characters that hide or
# reorder text: zero-width ones, bidirectional embeddings and isolates, the byte order mark, tags.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"[\t\n\r\x0b\x0c\x85\u2028\u2029]+")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# What spreadsheets take for the start of a formula (OWASP, "CSV Injection"), full-width forms included.
_FORMULA = re.compile(r"^\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
PROTECTED = "formula_protected"
"""Column of a table whose cells `csv_safe` has made; it names those columns of a row that have an apostrophe more."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def neutral(text: str, *, limit: int | None = None) -> str:
    """`text` as one line that a terminal shows and does not obey.

    Args:
        text: from anywhere.
        limit: characters at most; what is longer ends in an ellipsis.

    White space that moves the cursor becomes a space, other control and invisible characters U+FFFD.
    """
    if limit is not None:
        text = text[: limit + 1]
    shown = _HARMFUL.sub(_REPLACEMENT, _SPACES.sub(" ", readable(text)))
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def csv_safe(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: such ones get a leading apostrophe, numbers stay numbers.

    So does one that looks as if it had got one: `csv_meant` takes off what was put there and nothing else.
    """
    return f"'{cell}" if _is_protected(cell) else cell


def csv_meant(cell: str) -> str:
    """What `csv_safe` was given, of what it made."""
    return cell[1:] if cell[:1] == "'" and _is_protected(cell[1:]) else cell


def _is_protected(cell: str) -> bool:
    bare = cell.lstrip("'")
    return _FORMULA.match(bare) is not None and not _NUMBER.fullmatch(bare)
