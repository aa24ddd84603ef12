"""Run folders as a list, and what earlier runs left behind: plain data to show."""

from collections.abc import Callable
from dataclasses import dataclass, field

RUNNING, KILLED, UNREADABLE = "running", "killed", "unreadable"
"""States in addition to those in records."""


@dataclass(frozen=True, slots=True)
class RunAccuracy:
    """The share of right labels among the rows with a gold label and an answer, with its 95% interval."""

    value: float
    low: float
    high: float
    rows: int
    gold: str
    """The file with the right labels."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run folder. None is for values that its record lacks."""

    folder: str
    state: str
    """finished, incomplete, interrupted, stopped, running, killed or unreadable."""
    updated_at: str | None = None
    task: str | None = None
    model: str | None = None
    offline: bool = False
    rows: int | None = None
    labelled: int | None = None
    review: int | None = None
    failed: int | None = None
    pending: int | None = None
    outcomes: int | None = None
    """Ledger lines of a run that is in progress or was killed: processed rows, including repeated ones."""
    cost_usd: float | None = None
    accuracy: RunAccuracy | None = None
    problem: str | None = None
    """Why it is unreadable."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Run folders, the most recently changed one last."""

    runs: tuple[ListedRun, ...]
    is_whole: bool
    """Whether all folders were examined."""


@dataclass(frozen=True, slots=True)
class Waste:
    """Something that can be removed."""

    kind: str
    place: str
    count: int
    bytes: int
    remove: Callable[[], object] = field(repr=False, compare=False)
