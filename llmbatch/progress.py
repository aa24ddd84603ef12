"""What the screen is told while a run is under way: one frozen snapshot at a time."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """The run at one instant. `total` is None while the input is still being counted."""

    total: int | None = None
    done: int = 0
    """Rows with a final outcome, earlier sessions' and rejected ones included."""
    skipped: int = 0
    """Of them, rows that an earlier session had finished."""
    failed: int = 0
    """Failed and rejected rows."""
    review: int = 0
    retries: int = 0
    in_flight: int = 0
    waiting: int = 0
    """Rows that wait for their next attempt."""
    held_s: float = 0.0
    """Seconds for which the server holds everyone back; 0 where it does not."""
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cost_nusd: int | None = 0
    """Nano-dollars spent in this session; None where the price is unknown."""
    elapsed_s: float = 0.0


class Screen(Protocol):
    """Where a run shows itself: a live display, dated lines, or nowhere."""

    def update(self, progress: Progress) -> None:
        """Show the run's present state; called a few times a second."""

    def say(self, message: str) -> None:
        """Tell one thing that happened, in a sentence of plain text."""

    def warn(self, message: str) -> None:
        """Tell one thing that went wrong, in a sentence of plain text."""
