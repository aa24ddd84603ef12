"""Batches: prepared, submitted, waited for, collected."""

from typing import Any

from llmbatch.core.money import to_usd
from llmbatch.core.plurals import counted
from llmbatch.observe.events.event import Event, Level, dollars

_MB = 1e6


class BatchPrepared(Event, frozen=True):
    """A request file is written, and its maximum cost reserved."""

    name = "batch.prepared"
    part: int
    rows: int
    size: int
    at_most_nanousd: int

    @property
    def message(self) -> str:
        """How large it is, and what it may cost."""
        size = f"{self.size / _MB:,.1f} MB"
        return f"part {self.part}: {counted(self.rows, 'row')}, {size}, at most {dollars(self.at_most_nanousd)}"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {"part": self.part, "rows": self.rows, "size": self.size, "at_most_usd": to_usd(self.at_most_nanousd)}


class BatchSubmitted(Event, frozen=True):
    """The provider has a part."""

    name = "batch.submitted"
    template = "part {part} submitted: {rows:,} rows, {batch}"
    part: int
    rows: int
    batch: str


class BatchExported(Event, frozen=True):
    """A part's request file is where someone else runs it."""

    name = "batch.exported"
    template = "part {part}: {rows:,} rows are in {file}"
    part: int
    rows: int
    file: str


class BatchAdopted(Event, frozen=True):
    """A batch was found at the provider that a session created but could not record."""

    name = "batch.adopted"
    level = Level.WARNING
    template = "part {part} was already submitted as {batch}; not submitted again"
    part: int
    batch: str


class BatchProgress(Event, frozen=True):
    """A batch changed state."""

    name = "batch.progress"
    template = "part {part}: {status}, {done:,} of {rows:,} rows answered"
    part: int
    status: str
    done: int
    rows: int


class BatchStalled(Event, frozen=True):
    """No progress at the provider for hours; reported once."""

    name = "batch.stalled"
    level = Level.WARNING
    template = (
        "part {part}: {status} for {hours:.1f} h, {done:,} of {rows:,} rows answered, no progress: check the "
        "provider's status page, or cancel it and pay only for answered rows: {cancel}"
    )
    part: int
    status: str
    hours: float
    done: int
    rows: int
    cancel: str


class BatchOfFew(Event, frozen=True):
    """Too few rows for a batch to be worth the wait."""

    name = "batch.of_few"
    template = "{rows:,} rows: single requests take a minute or two; --service-tier flex is as cheap"
    rows: int


class BatchRefused(Event, frozen=True):
    """The provider has no room for a part at present; nothing is charged."""

    name = "batch.refused"
    level = Level.WARNING
    template = "part {part} was refused ({code}): {reason}; its rows will be submitted again later"
    part: int
    code: str
    reason: str


class BatchRepeated(Event, frozen=True):
    """A call about files or batches failed and is retried."""

    name = "batch.repeated"
    level = Level.WARNING
    template = "{kind}: {reason}; retrying in {wait_s:.0f} s"
    kind: str
    reason: str
    wait_s: float


class BatchCollected(Event, frozen=True):
    """A part's answers are in the ledger."""

    name = "batch.collected"
    part: int
    labelled: int
    failed: int
    reopened: int
    """Rows that are pending again and go into another part."""
    cached_share: float
    """Of the input, 0..1."""
    cost_nanousd: int

    @property
    def message(self) -> str:
        """The outcome."""
        rows = f"{self.labelled:,} labelled"
        rows += f", {self.failed:,} failed" if self.failed else ""
        rows += f", {self.reopened:,} pending again" if self.reopened else ""
        return f"collected part {self.part}: {rows}; {dollars(self.cost_nanousd)}, {self.cached_share:.0%} cached"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {
            "part": self.part,
            "labelled": self.labelled,
            "failed": self.failed,
            "reopened": self.reopened,
            "cached_share": round(self.cached_share, 4),
            "cost_usd": to_usd(self.cost_nanousd),
        }


class BatchUneven(Event, frozen=True):
    """A batch's result files do not hold exactly one line for each row."""

    name = "batch.uneven"
    level = Level.WARNING
    part: int
    missing: int
    """Rows that are in no file: possibly billed, and sent again."""
    doubled: int
    foreign: int
    """Lines of no row, or that cannot be read."""
    at_most_nanousd: int
    """Of the missing ones."""

    @property
    def message(self) -> str:
        """Each mismatch, with its count."""
        found = [
            *([f"{counted(self.doubled, 'line')} duplicated, the first one counts"] if self.doubled else []),
            *([f"{counted(self.foreign, 'line')} without a matching row"] if self.foreign else []),
        ]
        if self.missing:
            cost = f"possibly billed (at most {dollars(self.at_most_nanousd)})"
            found.insert(0, f"{counted(self.missing, 'answer')} missing: {cost}, and the rows are sent again")
        return f"part {self.part}: {'; '.join(found)}"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        return {
            "part": self.part,
            "missing": self.missing,
            "doubled": self.doubled,
            "foreign": self.foreign,
            "at_most_usd": to_usd(self.at_most_nanousd),
        }


class BatchUsageDiffers(Event, frozen=True):
    """The provider's token total for a batch differs from that of its answers: it may have billed retries."""

    name = "batch.usage_differs"
    level = Level.WARNING
    template = (
        "part {part}: the provider reports {theirs:,} input and {theirs_out:,} output tokens for the batch, but its "
        "answers add up to {ours:,} and {ours_out:,}: check the bill"
    )
    part: int
    theirs: int
    ours: int
    theirs_out: int
    ours_out: int


class BatchFellBack(Event, frozen=True):
    """Rows that kept expiring are sent as single requests, as `--batch-fallback` says."""

    name = "batch.fell_back"
    level = Level.WARNING
    template = "{rows:,} rows expired in {patience} batches each: now sent as single requests ({way})"
    rows: int
    patience: int
    way: str


class BatchGivenUp(Event, frozen=True):
    """A part will not be collected: its rows are pending again."""

    name = "batch.given_up"
    level = Level.WARNING
    template = "part {part} abandoned ({why}): its {rows:,} rows are pending again"
    part: int
    why: str
    rows: int
