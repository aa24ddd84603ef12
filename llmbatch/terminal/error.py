"""An `LLMBatchError`: what happened, and what to do next, in a line each."""

import os
import sys
import textwrap

from llmbatch.core.sanitize import neutral

_INDENT = " " * len("error: ")


def show_error(message: str, hint: str | None) -> None:
    """Print an error, and its hint on a line of its own, to stderr; on a terminal they are wrapped between words."""
    width = _width()
    for label, text in (("error: ", message), (_INDENT, hint)):
        if text:
            sys.stderr.write(f"{_broken(label, neutral(text), width)}\n")


def _broken(label: str, text: str, width: int | None) -> str:
    """A line wrapped to the width of a terminal; long names and addresses are not broken."""
    if width is None or len(label) + len(text) <= width:
        return label + text
    return textwrap.fill(
        text,
        width,
        initial_indent=label,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _width() -> int | None:
    """Columns of the terminal; None if there is none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or None
    except (OSError, ValueError):
        return None
