"""Which screen a run gets, and the consoles behind it."""

import os
import sys
from typing import TextIO

from rich.console import Console

from llmbatch.observe.observer import Observer
from llmbatch.terminal.lines import LineScreen
from llmbatch.terminal.live import LiveScreen

_PLAIN_WIDTH = 100


def make_screen(*, quiet: bool, verbose: bool = False) -> Observer:
    """A live display on a terminal that can move its cursor, dated lines otherwise, nothing if `quiet`.

    Args:
        quiet: show nothing.
        verbose: also show details.
    """
    if quiet:
        return Observer()
    console = stderr_console()
    if _is_terminal(sys.stderr) and console.is_interactive:
        return LiveScreen(console, verbose=verbose)
    return LineScreen(sys.stderr, verbose=verbose)


def stderr_console() -> Console:
    """The console for messages."""
    return _console(sys.stderr)


def stdout_console() -> Console:
    """The console for requested output."""
    return _console(sys.stdout)


def _is_terminal(stream: TextIO) -> bool:
    """Whether it can move its cursor. `FORCE_COLOR`, which CI systems set, does not turn a log into a terminal."""
    is_capable = os.environ.get("TERM", "dumb") not in {"", "dumb", "unknown"}
    return stream.isatty() and is_capable and os.environ.get("TTY_COMPATIBLE") != "0"


def _console(stream: TextIO) -> Console:
    """A console that does not interpret markup or emoji codes and does not highlight; untrusted text stays text.

    Colour depends on `NO_COLOR`, then `FORCE_COLOR` (https://no-color.org, https://force-color.org), then on whether
    it is a terminal.
    """
    is_forced = bool(os.environ.get("FORCE_COLOR")) and not os.environ.get("NO_COLOR")
    console = Console(
        file=stream,
        force_terminal=_is_terminal(stream) or is_forced,
        color_system="standard" if is_forced and not _is_terminal(stream) else "auto",
        markup=False,
        emoji=False,
        highlight=False,
    )
    if not stream.isatty():
        console.width = max(console.width, _PLAIN_WIDTH)  # a log has no edge to wrap at
    return console
