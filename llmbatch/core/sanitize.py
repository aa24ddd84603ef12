"""Makes untrusted text harmless for terminals and spreadsheets.

Documents, labels, ids, file names and servers' messages are data. In a terminal they must not move the cursor, colour
the screen, set its title or change the reading direction; in a spreadsheet they must not execute.
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

# What spreadsheets treat as the start of a formula (OWASP, "CSV Injection"), including full-width forms.
_FORMULA = re.compile(r"^\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
PROTECTED = "formula_protected"
"""Column of a table with cells from `csv_safe`; it names the columns of a row that got an apostrophe."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def neutral(text: str, *, limit: int | None = None) -> str:
    """`text` as one line that a terminal displays without acting on it.

    Args:
        text: any untrusted text.
        limit: maximum characters; longer text ends in an ellipsis.

    White space that moves the cursor becomes a space; other control and invisible characters become U+FFFD.
    """
    if limit is not None:
        text = text[: limit + 1]
    shown = _HARMFUL.sub(_REPLACEMENT, _SPACES.sub(" ", readable(text)))
    if limit is not None and len(shown) > limit:
        return shown[: limit - 1] + "…"
    return shown


def csv_safe(cell: str) -> str:
    """A cell that no spreadsheet reads as a formula: formulas get a leading apostrophe, numbers are unchanged.

    A cell that already looks protected gets one too, so that `csv_meant` removes only what was added.
    """
    return f"'{cell}" if _is_protected(cell) else cell


def csv_meant(cell: str) -> str:
    """The original cell of a `csv_safe` result."""
    return cell[1:] if cell[:1] == "'" and _is_protected(cell[1:]) else cell


def _is_protected(cell: str) -> bool:
    bare = cell.lstrip("'")
    return _FORMULA.match(bare) is not None and not _NUMBER.fullmatch(bare)
