"""A run and its folder: what was found there, how it goes, how it ends."""

from typing import Any

from llmbatch.core.money import to_usd
from llmbatch.core.plurals import counted
from llmbatch.observe.events.event import Event, Level


class LedgerSalvaged(Event, frozen=True):
    """Damaged lines were moved out of the ledger, as `llmbatch repair` or `--salvage` asked."""

    name = "ledger.salvaged"
    level = Level.WARNING
    lines: int

    @property
    def message(self) -> str:
        """How many were moved."""
        return f"{counted(self.lines, 'damaged ledger line')} moved aside; the rows are sent again"


class LedgerTorn(Event, frozen=True):
    """The ledger's last line was incomplete."""

    name = "ledger.torn"
    level = Level.WARNING
    template = "the ledger's last line was incomplete after a crash; it was moved to {moved_to}"
    moved_to: str


class LogShrank(Event, frozen=True):
    """A log is shorter than when the results were written: lines were cut off, or it is an older copy."""

    name = "log.shrank"
    level = Level.WARNING
    file: str
    missing_bytes: int

    @property
    def message(self) -> str:
        """What was lost, and what happens to the rows."""
        lost = counted(self.missing_bytes, "byte")
        return f"{self.file} lost {lost} since the results were written; the lost rows are sent again"


class FolderMigrated(Event, frozen=True):
    """An earlier version created the run folder: its existing lines have no checksum, new ones do."""

    name = "folder.migrated"
    template = "run folder from llmbatch {version}: new lines get checksums, which that version cannot read"
    version: str


class PossiblyBilledFound(Event, frozen=True):
    """A killed session had requests in flight, whose outcome is unknown."""

    name = "requests.possibly_billed"
    level = Level.WARNING
    requests: int
    at_most_nanousd: int

    @property
    def message(self) -> str:
        """How many, and what happens to their rows."""
        killed = f"{counted(self.requests, 'request')} in flight when the last session was killed"
        return f"{killed}: possibly billed, and the rows are sent again"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {"requests": self.requests, "at_most_usd": to_usd(self.at_most_nanousd)}


class SentLogDamaged(Event, frozen=True):
    """Unreadable lines of `sent.log`: each is counted as a billed request."""

    name = "requests.log_damaged"
    level = Level.WARNING
    requests: int
    at_most_nanousd: int
    """0 if the cost of a request is unknown."""

    @property
    def message(self) -> str:
        """How many, and what they count as."""
        cost = f"at most ${to_usd(self.at_most_nanousd):,.6g}" if self.at_most_nanousd else "at an unknown cost"
        return f"sent.log is damaged: {counted(self.requests, 'lost request')} counted as billed, {cost}"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {"requests": self.requests, "at_most_usd": to_usd(self.at_most_nanousd)}


class ReuseUnavailable(Event, frozen=True):
    """The answer cache cannot be used (any more): rows that it holds are sent again."""

    name = "reuse.unavailable"
    level = Level.WARNING
    template = (
        "{store}: the answer cache cannot be used ({error}); the run continues without it "
        "(`llmbatch cache clear` creates a new one)"
    )
    store: str
    error: str


class CanaryDropped(Event, frozen=True):
    """The canary is worse than the control: it gets no more rows."""

    name = "canary.dropped"
    level = Level.WARNING
    template = "the canary is dropped: {reason}"
    reason: str


class CanaryExpanded(Event, frozen=True):
    """The canary does well: it gets more rows."""

    name = "canary.expanded"
    template = "the canary is doing well: it gets {share:.0%} of the rows from now on"
    share: float


class SignalReceived(Event, frozen=True):
    """SIGINT, SIGTERM or SIGHUP, or the calling program, interrupts the run, which ends in an orderly way."""

    name = "run.signal"
    level = Level.WARNING
    template = "{signal}: finishing the requests in flight; press again to abandon them"
    signal: str
    """The signal's name, or `the caller`."""


class RunStopping(Event, frozen=True):
    """A guard, a limit, the server or a failure ended the run; answers in flight may still arrive."""

    name = "run.stopping"
    level = Level.WARNING
    template = "stopping once the requests in flight are answered: {reason}"
    reason: str
    exit_code: int


class NulsReplaced(Event, frozen=True):
    """A database cannot store NUL in texts, so some values were written differently."""

    name = "outputs.nuls_replaced"
    level = Level.WARNING
    template = "values with a NUL, which the database cannot hold, were written with U+FFFD in its place: {values:,}"
    values: int


class OutputsRolling(Event, frozen=True):
    """The outputs of a run whose input has not ended yet are written every few seconds."""

    name = "outputs.rolling"
    template = "results so far are in {folder}, in order of arrival; updated at most every {every_s:g} s"
    folder: str
    every_s: float
