"""What observers receive while a run is in progress: one frozen snapshot at a time."""

from dataclasses import asdict, dataclass
from typing import Any

from llmbatch.core.money import to_usd


@dataclass(frozen=True, slots=True)
class CanaryProgress:
    """State of a canary: rows of each arm, and how many of them failed or gave no usable answer at first."""

    rows: int
    bad: int
    control_rows: int
    control_bad: int
    dropped: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """The run at one instant. `total` is None while the input is still being counted."""

    total: int | None = None
    done: int = 0
    """Rows with a final outcome, including those of earlier sessions and rejected ones."""
    skipped: int = 0
    """Those of them that an earlier session had finished."""
    failed: int = 0
    """Failed and rejected rows."""
    review: int = 0
    retries: int = 0
    in_flight: int = 0
    limit: int = 0
    """Requests that may currently be in flight."""
    waiting: int = 0
    """Rows waiting for their next attempt."""
    retry_kind: str = ""
    """The kind of failure after which they wait."""
    held_s: float = 0.0
    """Seconds for which the server pauses all requests; 0 if it does not."""
    outage_s: float = 0.0
    """Seconds that an outage has lasted; 0 if there is none."""
    outage_kind: str = ""
    """The kind of failure during the outage."""
    next_try_s: float = 0.0
    """Seconds until the next request in an outage, or until the first waiting row is sent again; 0 for now."""
    limited_by: str = ""
    """The rate limit that holds requests back, in words; empty if there is none."""
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_unreported_tokens: int = 0
    """Input tokens of answers that do not report how much came from the cache."""
    cost_nanousd: int | None = 0
    """Nano-dollars spent in this session; None if the price is unknown."""
    canary: CanaryProgress | None = None
    elapsed_s: float = 0.0

    @property
    def is_backing_off(self) -> bool:
        """Whether all rows in progress wait for their next attempt."""
        return bool(self.waiting and not self.in_flight and self.next_try_s and not self.outage_s)

    @property
    def is_known(self) -> bool:
        """Whether there is something to show: the number of rows, or a row that this session has finished."""
        return self.total is not None or self.done > self.skipped


def progress_json(progress: Progress) -> dict[str, Any]:
    """A snapshot for logs: stable names, money in US dollars."""
    data = asdict(progress)
    nanousd = data.pop("cost_nanousd")
    return data | {
        "held_s": round(progress.held_s, 3),
        "outage_s": round(progress.outage_s, 3),
        "next_try_s": round(progress.next_try_s, 3),
        "elapsed_s": round(progress.elapsed_s, 3),
        "cost_usd": None if nanousd is None else to_usd(nanousd),
    }


class Heartbeat:
    """Decides when a log gets its next line: after the first second, then at intervals."""

    def __init__(self, every_s: float = 10.0) -> None:
        self._every_s = every_s
        self._next_s = 1.0

    def is_due(self, progress: Progress) -> bool:
        """Whether to write this snapshot; call it once for each."""
        if progress.elapsed_s < self._next_s:
            return False
        self._next_s = progress.elapsed_s + self._every_s
        return True
