"""The options of a run, as one frozen object that is passed as a whole."""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from llmbatch.cache.options import Reuse
from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.core.local_time import local_zone
from llmbatch.core.rows import Truncation
from llmbatch.core.service_tiers import ServiceTier
from llmbatch.engine.packing.plans import AutoPacking
from llmbatch.engine.plan import ModelChoice
from llmbatch.engine.sending import Sending
from llmbatch.readers import ReaderOptions, is_file_name
from llmbatch.runs.batches.options import BatchOptions
from llmbatch.runs.folder import STDIN
from llmbatch.runs.outputs import Sample
from llmbatch.runs.shard import Shard


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many rows may fail without affecting the exit code: a count, or a share of all rows (0..1)."""

    count: int = 0
    share: float = 0.0

    def allows(self, failed: int, total: int) -> bool:
        """Whether that many failed rows are tolerated."""
        return failed <= max(self.count, self.share * total)


def parse_tolerance(text: str) -> Tolerance:
    """A tolerance as the user writes it: `10` or `1%`.

    Raises:
        UsageError: it is neither.
    """
    try:
        if text.strip().endswith("%"):
            share = float(text.strip()[:-1]) / 100
            if 0 <= share <= 1:
                return Tolerance(share=share)
        elif 0 <= (count := int(text)) <= _MOST_FAILED:
            return Tolerance(count=count)
    except ValueError:
        pass
    raise UsageError(
        f"--max-failed {text!r} is neither a count nor a percentage", hint="use --max-failed 10 or --max-failed 1%"
    )


_MOST_FAILED = 1_000_000_000


def parse_deadline(text: str, *, now: datetime | None = None, option: str = "--deadline") -> float:
    """Seconds from `now` to a deadline as the user writes it.

    Args:
        text: a span (`90s`, `30m`, `6h`, `2h30m`) or a time of day (`06:30`), which may name its zone (`06:30Z`). A
            time that the clocks skip counts by the clock before the change; of one that occurs twice, the next counts.
        now: the current time, in the zone of a time that names none; None for the current time in the user's zone.
        option: the option, for messages.

    Raises:
        UsageError: it is neither, or the user's zone is not known.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is not None and any(match.groups()):
        return sum(int(part or 0) * unit_s for part, unit_s in zip(match.groups(), (3600, 60, 1), strict=True))
    try:
        clock = time.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is neither a time span nor a time of day",
            hint=f"use {option} 6h, {option} 2h30m or {option} 06:30",
        ) from None
    now = now or datetime.now(local_zone())
    return (_next(clock, now) - now.astimezone(UTC)).total_seconds()


def _next(clock: time, now: datetime) -> datetime:
    """The next instant at which clocks show that time, in UTC: within one zone, Python ignores clock changes."""
    zone = clock.tzinfo or now.tzinfo
    today, after = now.astimezone(zone).date(), now.astimezone(UTC)
    instants: list[datetime] = []
    for days in range(_MOST_DAYS):
        first = datetime.combine(today + timedelta(days=days), clock.replace(tzinfo=None), zone)
        once, again = first.astimezone(UTC), first.replace(fold=1).astimezone(UTC)
        instants += [once, max(once, again)]
    return min(instant for instant in instants if instant > after)


_MOST_DAYS = 4
"""Days until a time of day occurs again: some zones have skipped a whole day."""
_SPAN = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?")


@dataclass(frozen=True, slots=True)
class CanaryOptions:
    """A prompt and/or a model on trial. `share` is 0..1 of the rows; `expand` increases it while it does well."""

    task: str | None
    model: str | None
    share: float = defaults.CANARY_SHARE / 100
    expand: bool = False


@dataclass(frozen=True, slots=True)
class JuryOptions:
    """Who votes on doubtful rows: other models in addition to the first answer, or the run's own several times."""

    models: tuple[str, ...] = ()
    votes: int = 0


@dataclass(frozen=True, slots=True)
class RunOptions:
    """A run from its first byte to its last. None leaves a choice to the task file or the default."""

    inputs: tuple[str, ...]
    out: Path | None = None
    task: str | None = None
    choice: ModelChoice = ModelChoice()
    decisions: Path | None = None
    """Another run's folder, whose decisions are also examples."""
    sending: Sending = field(default_factory=Sending)
    reading: ReaderOptions = ReaderOptions()
    keep: tuple[str, ...] | None = None
    strict: bool = False
    review_below: float | None = None
    sample: Sample = Sample()
    max_failed: Tolerance = Tolerance()
    reuse: Reuse | None = None
    """None sends every row that this run has not sent."""
    canary: CanaryOptions | None = None
    escalate_to: str | None = None
    """The stronger model to which rows that need review are sent first."""
    jury: JuryOptions | None = None
    """Who votes first on rows that need review; not together with `escalate_to`."""
    baseline: Path | None = None
    """An earlier run's folder to compare with."""
    fail_on_drift: bool = False
    salvage: bool = False
    calibration: str | None = None
    """Calibration file, or `none`; None uses the task's own if there is one."""
    shard: Shard | None = None
    """The part of the rows to send; None sends all."""
    command: str = "llmbatch classify ..."
    """The command that resumes this run, as the summary prints it."""
    batch: BatchOptions | None = None
    """How rows go in batches; None sends each by itself."""
    auto_packing: AutoPacking | None = None
    """Let rows share requests as far as a comparison allows it; None keeps the setting in `sending`."""
    cheapest: BatchOptions | None = None
    """Choose the way with the lowest expected cost; if batches, with these options. None keeps the given way."""


def of_whole(options: RunOptions) -> RunOptions:
    """The options of the whole run, given those of a shard."""
    return replace(options, shard=None, command=_SHARD_OPTION.sub("", options.command))


def check_shard(options: RunOptions, *, is_in_memory: bool) -> None:
    """Refuse runs that cannot be divided among processes.

    Args:
        options: with a shard.
        is_in_memory: whether the documents are not in files.

    Raises:
        UsageError: each process would read other rows, or decide alone what all have to decide together.
    """
    if is_in_memory or not all(name != STDIN and is_file_name(name) for name in options.inputs):
        raise UsageError(
            "--shard needs input files, so that all processes read the same rows",
            hint="write the rows to a file that each process can read",
        )
    if options.canary is not None:
        raise UsageError(
            "--shard and a canary cannot be combined: each process would decide on its own whether to drop it",
            hint="try the canary in a run without shards first",
        )


_SHARD_OPTION = re.compile(r" --shard[ =][0-9]+/[0-9]+")


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """Which rows of a run folder are sent again, and how."""

    only: frozenset[str] = frozenset()
    """Kinds of failure; empty for all."""
    review: bool = False
    """The rows in review instead of the failed ones."""
    model: str | None = None
    """Another model; None uses the run's. The same applies to the following three."""
    service_tier: ServiceTier | None = None
    max_doc_tokens: int | None = None
    truncate: Truncation | None = None
    decisions: Path | None = None
    """Another run, whose decisions are also examples if examples are chosen for each document."""
    sending: Sending = field(default_factory=Sending)
    max_failed: Tolerance = Tolerance()
    salvage: bool = False
    batch: BatchOptions | None = None
    """How rows go in batches; None sends each by itself."""

    def applied_to(self, choice: ModelChoice) -> ModelChoice:
        """The choice for this retry, with its differences from the run's."""
        return replace(
            choice,
            model=self.model or choice.model,
            window=choice.window if self.model in (None, choice.model) else None,
            token_ratio=choice.token_ratio if self.model in (None, choice.model) else 1.0,
            service_tier=self.service_tier or choice.service_tier,
            max_doc_tokens=self.max_doc_tokens or choice.max_doc_tokens,
            truncate=self.truncate or choice.truncate,
        )
