"""For whom events are written; by itself, since the command line needs nothing else to show its help."""

from enum import StrEnum


class LogFormat(StrEnum):
    """People or machines."""

    text = "text"
    json = "json"
