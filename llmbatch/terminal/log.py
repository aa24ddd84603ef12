"""The screen for scripts and notebooks: events go to the `llmbatch` logger, progress is not shown."""

import logging

from llmbatch.observe.events import Event, Level
from llmbatch.observe.observer import Observer

_logger = logging.getLogger("llmbatch")
_LEVELS = {Level.INFO: logging.INFO, Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR}


class LogScreen(Observer):
    """For the Python API. A record's `event` is the event's name."""

    def event(self, event: Event) -> None:
        """Log what happened."""
        _logger.log(_LEVELS[event.level], "%s", event.message, extra={"event": event.name})
