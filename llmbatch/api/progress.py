"""Progress of a call: shown in the caller's thread, so that it appears in a notebook's waiting cell."""

import logging
import sys
from collections.abc import Callable
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.observe.observer import Observer
from llmbatch.observe.progress import Progress
from llmbatch.terminal import make_screen
from llmbatch.terminal.log import LogScreen
from llmbatch.terminal.notebook import NotebookBar

_logger = logging.getLogger("llmbatch")

ProgressOption = bool | Callable[[Progress], object] | None
SHOW_EVERY_S = 0.25


class Latest(Observer):
    """Keeps the run's latest state for the display."""

    def __init__(self) -> None:
        self.progress: Progress | None = None

    def update(self, progress: Progress) -> None:
        """Keep it."""
        self.progress = progress


class Shown:
    """Shows the progress of a call: `observer` runs in the run's thread, `show` in the caller's."""

    def __init__(self, option: ProgressOption) -> None:
        """`option` is the argument of `classify`.

        Raises:
            UsageError: it is neither a boolean nor a function.
        """
        if not (option is None or isinstance(option, bool) or callable(option)):
            raise UsageError(f"progress={option!r}: give True, False, or a function")
        self._latest = Latest()
        self._last: Progress | None = None
        self._show: Callable[[Progress], object] | None = None
        self.observers: list[Observer] = [LogScreen()]
        if callable(option):
            self._show = option
        elif option is not False and in_notebook():
            self._show = NotebookBar().show
        elif option is True:
            self.observers = [make_screen(quiet=False)]
        if self._show is not None:
            self.observers.append(self._latest)

    @property
    def every_s(self) -> float | None:
        """Seconds between two calls of `show`; None if there is nothing to show."""
        return None if self._show is None else SHOW_EVERY_S

    def show(self) -> None:
        """Show the latest state, if it has changed. If that fails, the run continues without progress."""
        progress = self._latest.progress
        if self._show is None or progress is None or progress is self._last:
            return
        self._last = progress
        try:
            self._show(progress)
        except Exception:
            self._show = None
            _logger.exception("the progress display failed and was turned off")


def in_notebook() -> bool:
    """Whether the caller is a notebook's cell: an IPython shell in a kernel."""
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
