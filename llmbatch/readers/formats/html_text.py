"""The text of an HTML page as a browser shows it: one line per block, whitespace collapsed, no scripts or navigation.

The page is parsed by the rules of the HTML standard (Lexbor), so that entities, unclosed tags and everything else are
interpreted as in browsers.
"""

import codecs
import re
from typing import Any

from llmbatch.core.extras import extra

_BLOCK_TAGS = """
address article aside blockquote body br button caption center dd details dialog dir div dl dt fieldset figcaption
figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu ol optgroup option p pre search section
select summary table tbody textarea tfoot thead tr ul
"""
_LEFT_OUT_TAGS = """
audio canvas datalist embed head iframe math meter nav noembed noframes noscript object progress script style svg
template title video
"""
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_LEFT_OUT = frozenset(_LEFT_OUT_TAGS.split())
_VERBATIM = frozenset({"listing", "pre", "textarea", "xmp"})
_CELLS = frozenset({"td", "th"})
_WHITESPACE = re.compile(r"[ \t\n\f\r]+")
"""ASCII whitespace: a no-break space is text."""

_LOOKED_AT = 4096
"""In bytes; the standard requires 1,024."""
_DECLARED = re.compile(
    rb"<(?:meta\b[^>]*?\bcharset|\?xml\b[^>]*?\bencoding)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE
)
_MEANT = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-9": "cp1254",
    "utf-16": "utf-8",
    "utf-16-le": "utf-8",
    "utf-16-be": "utf-8",
    "utf-32": "utf-8",
}
"""The actual encodings of pages that declare these (WHATWG Encoding Standard, 4.2): if the declaration can be read as
ASCII, the page is not UTF-16."""


def declared_encoding(head: bytes) -> str | None:
    """The encoding that a page declares, by Python's name; None if it declares none that is known."""
    found = _DECLARED.search(head[:_LOOKED_AT])
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1].decode()).name
        "a".encode(name)
    except (LookupError, TypeError, ValueError):  # unknown, or not a text encoding
        return None
    return _MEANT.get(name, name)


def html_text(page: str, *, file: str) -> str:
    """The text of a page, preceded by its title if the page does not show it.

    Raises:
        UsageError: the parser is not installed.
    """
    with extra("html", needed_by=f"reading {file}"):
        from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - comes with an extra
    tree = LexborHTMLParser(page)
    body = tree.body
    shown = "" if body is None else _shown(body)
    title = tree.css_first("head > title")
    named = "" if title is None else _WHITESPACE.sub(" ", title.text()).strip()
    return shown if not named or named in shown else f"{named}\n{shown}".rstrip()


class _Lines:
    """Text as it is laid out, without whitespace that a browser does not show."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._is_at_start = True
        self._owes_space = False

    def add(self, text: str) -> None:
        """Add text of a line."""
        words = _WHITESPACE.sub(" ", text)
        if not words.strip(" "):
            self._owes_space |= bool(words)
            return
        if (self._owes_space or words[0] == " ") and not self._is_at_start and self._parts[-1] != "\t":
            self._parts.append(" ")
        self._parts.append(words.strip(" "))
        self._is_at_start, self._owes_space = False, words[-1] == " "

    def add_verbatim(self, text: str) -> None:
        """Add text whose whitespace is shown."""
        self._parts.append(text)
        self._is_at_start, self._owes_space = text.endswith("\n"), False

    def end_line(self) -> None:
        """Begin another line, unless this one is empty."""
        if self._parts and self._parts[-1] == "\t":
            self._parts.pop()
        if not self._is_at_start:
            self._parts.append("\n")
        self._is_at_start, self._owes_space = True, False

    def end_cell(self) -> None:
        """Separate the following text on the line."""
        if not self._is_at_start:
            self._parts.append("\t")
        self._owes_space = False

    def text(self) -> str:
        """All of it."""
        return "".join(self._parts).strip()


def _shown(body: Any) -> str:
    """The text below a node. The tree is walked without recursion, since pages may be nested to any depth."""
    lines, root, node, verbatim = _Lines(), body.mem_id, body, 0
    while True:
        tag = node.tag
        if tag == "-text":
            (lines.add_verbatim if verbatim else lines.add)(node.text_content or "")
        is_left_out = tag in _LEFT_OUT or (tag in _BLOCKS and "hidden" in node.attributes)
        if tag in _BLOCKS:
            lines.end_line()
        inner = None if is_left_out else node.first_child
        if inner is not None:
            verbatim += tag in _VERBATIM
            node = inner
            continue
        _end(tag, lines)
        while node.mem_id != root and node.next is None:
            node = node.parent
            verbatim -= node.tag in _VERBATIM
            _end(node.tag, lines)
        if node.mem_id == root:
            return lines.text()
        node = node.next


def _end(tag: str, lines: _Lines) -> None:
    if tag in _BLOCKS:
        lines.end_line()
    elif tag in _CELLS:
        lines.end_cell()
