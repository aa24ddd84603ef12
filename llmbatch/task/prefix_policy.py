"""The user's choice about the prefix; a separate module, since the command line needs only this for its help."""

from enum import StrEnum


class PrefixPolicy(StrEnum):
    """How much of the task's pool of examples goes into the prefix."""

    AUTO = "auto"
    """As many as make the run cheapest."""
    MINIMAL = "minimal"
    """None of it."""
    FULL = "full"
    """All of it."""
