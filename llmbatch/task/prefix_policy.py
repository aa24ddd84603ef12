"""The user's word on the prefix; by itself, since the command line needs no more to show its help."""

from enum import StrEnum


class PrefixPolicy(StrEnum):
    """How much of the task's pool of examples goes into the prefix."""

    AUTO = "auto"
    """What makes the run cheapest."""
    MINIMAL = "minimal"
    """None of it."""
    FULL = "full"
    """All of it."""
