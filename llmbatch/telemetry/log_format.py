"""The format of logs. A separate module, since the command line needs only this to show its help."""

from enum import StrEnum


class LogFormat(StrEnum):
    """For people or for machines."""

    text = "text"
    json = "json"
