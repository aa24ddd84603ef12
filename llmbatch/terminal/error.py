"""Errors of ours: what happened, and what to do next, in a line each."""

import sys

from llmbatch.core.sanitize import neutral


def show_error(message: str, hint: str | None) -> None:
    """Print an error, and its hint on a line of its own, to stderr."""
    sys.stderr.write(f"error: {neutral(message)}\n")
    if hint:
        sys.stderr.write(f"       {neutral(hint)}\n")
