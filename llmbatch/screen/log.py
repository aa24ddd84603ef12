"""The screen of scripts and notebooks: messages go to the `llmbatch` logger, progress nowhere."""

import logging

from llmbatch.screen.quiet import QuietScreen

_logger = logging.getLogger("llmbatch")


class LogScreen(QuietScreen):
    """For the Python API."""

    def say(self, message: str) -> None:
        """Log a message."""
        _logger.info("%s", message)

    def warn(self, message: str) -> None:
        """Log a warning."""
        _logger.warning("%s", message)
