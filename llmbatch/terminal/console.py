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
    """A live display on a terminal that can move its cursor, dated lines otherwise, nothing where `quiet`.

    Args:
        quiet: show nothing.
        verbose: show details, too.
    """
    if quiet:
        return Observer()
    console = stderr_console()
    if _is_terminal(sys.stderr) and console.is_interactive:
        return LiveScreen(console, verbose=verbose)
    return LineScreen(sys.stderr, verbose=verbose)


def stderr_console() -> Console:
    """The console for talk."""
    return _console(sys.stderr)


def stdout_console() -> Console:
    """The console for what was asked for."""
    return _console(sys.stdout)


def _is_terminal(stream: TextIO) -> bool:
    """Whether it can move its cursor. `FORCE_COLOR`, which CI systems set, makes no terminal of a log."""
    is_capable = os.environ.get("TERM", "dumb") not in {"", "dumb", "unknown"}
    return stream.isatty() and is_capable and os.environ.get("TTY_COMPATIBLE") != "0"


def _console(stream: TextIO) -> Console:
    """A console that takes no text for markup, emoji codes or something to highlight; untrusted text stays text.

    Colour goes by `NO_COLOR`, then `FORCE_COLOR` (https://no-color.org, https://force-color.org), then by whether it
    is a terminal.
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
