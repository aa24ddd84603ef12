"""Which screen a run gets, and the consoles behind it."""

import sys

from rich.console import Console

from llmbatch.observer import Observer
from llmbatch.screen.lines import LineScreen
from llmbatch.screen.live import LiveScreen

_PLAIN_WIDTH = 100


def make_screen(*, quiet: bool) -> Observer:
    """A live display on a terminal's stderr, dated lines otherwise, nothing where `quiet`."""
    if quiet:
        return Observer()
    console = stderr_console()
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(console)
    return LineScreen(sys.stderr)


def stderr_console() -> Console:
    """The console for talk."""
    return _console(stderr=True)


def stdout_console() -> Console:
    """The console for what was asked for."""
    return _console(stderr=False)


def _console(*, stderr: bool) -> Console:
    """A console that takes no text for markup, emoji codes or something to highlight; untrusted text stays text."""
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _PLAIN_WIDTH)  # a log has no edge to wrap at
    return console
