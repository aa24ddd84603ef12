"""The error rate from run to run; the figures of each run's random sample are stored in its folder.

`sample_checks.jsonl` gets a line each time the figures change. It is small, can be read without the input, and moves
with the folder. A trend is read from the neighbouring run folders of the same task.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from llmbatch.core.checksum import FORMAT, HEAD, LineCheck, mended, seal
from llmbatch.core.errors import UsageError
from llmbatch.core.files import append_private, open_to_read
from llmbatch.core.jsonlines import dump_line
from llmbatch.review.error_rate import ErrorRate
from llmbatch.review.opened import OpenedRun
from llmbatch.review.status import SampleStatus
from llmbatch.runs.folder import now_text
from llmbatch.runs.ledger.recover import cut_torn_tail
from llmbatch.stats.intervals import difference

FILE = "sample_checks.jsonl"


@dataclass(frozen=True, slots=True)
class SampleCheck:
    """The reviewed error figures of one random sample of a run."""

    run_id: str
    sample: str
    """The sample's digest."""
    run_at: str
    """When the run's last session began or ended, UTC."""
    checked_at: str
    task: str
    prompt: str
    model: str
    rows: int
    """Of the sample."""
    checked: int
    wrong: int
    passed_checked: int
    """Figures of the rows that had passed without review."""
    passed_wrong: int
    offline: bool = False
    """Whether the answers were simulated."""
    estimate: tuple[float, float, float] | None = None
    """The error rate of all answered rows with the bounds of its interval; None for the plain share of the checked
    rows."""
    folder: str = ""
    """The folder's current name."""

    def says(self, other: "SampleCheck") -> bool:
        """Whether another check has the same figures for the same sample."""
        return self == replace(other, run_at=self.run_at, checked_at=self.checked_at, folder=self.folder)

    @property
    def rate(self) -> ErrorRate:
        """The error rate over all sampled rows."""
        return ErrorRate(self.checked, self.wrong, estimate=self.estimate)


@dataclass(frozen=True, slots=True)
class Change:
    """The change in error rate as a share (0.02 is two percentage points), with its 95% interval."""

    since: str
    """The earlier run's folder."""
    by: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the change is significant: its interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Trend:
    """A task's runs in order of time, the latest last."""

    checks: tuple[SampleCheck, ...]
    change: Change | None
    """The change from the previous run to this one."""


def keep_check(run: OpenedRun, sample: SampleStatus) -> None:
    """Store the sample's figures in the run's folder, unless they are already there or the run is in progress."""
    record = run.record
    check = SampleCheck(
        run_id=record.run_id,
        sample=sample.digest,
        run_at=record.updated_at,
        checked_at=now_text(),
        task=record.task.name,
        prompt=record.prompt,
        model=record.model,
        rows=sample.rows,
        checked=sample.all.checked,
        wrong=sample.all.wrong,
        passed_checked=sample.passed.checked,
        passed_wrong=sample.passed.wrong,
        estimate=(sample.all.share or 0.0, *sample.all.interval),
        offline=record.offline,
    )
    path = run.folder.path / FILE
    if run.is_running or not check.checked or any(check.says(one) for one in _latest(path)):
        return
    line = asdict(check)
    del line["folder"]
    cut_torn_tail(path)
    with append_private(path) as file:
        file.write(seal(dump_line({"format": FORMAT, **line}).rstrip(b"\n")).decode())


def trend(run: OpenedRun, sample: SampleStatus, against: Sequence[Path] = ()) -> Trend:
    """The error rates of this task's runs: this folder, the folders next to it, and those in `against`."""
    here = run.folder.path.resolve()
    beside = sorted(path.parent for path in here.parent.glob(f"*/{FILE}"))
    folders = [here, *beside, *(path.resolve() for path in against)]
    found = {
        (check.run_id, check.sample): check
        for folder in folders
        for check in _latest(folder / FILE)
        if (check.task, check.offline) == (run.record.task.name, run.record.offline) and check.checked
    }
    checks = tuple(sorted(found.values(), key=lambda check: (check.run_at, check.checked_at)))
    before = [check for check in checks if check.sample != sample.digest and check.run_at <= run.record.updated_at]
    return Trend(checks, change(before[-1], sample.all) if before and sample.all.checked else None)


def change(before: SampleCheck, now: ErrorRate) -> Change:
    """The change in rate, with Newcombe's hybrid score interval (1998, method 10)."""
    then = before.rate
    earlier, later = then.share or 0.0, now.share or 0.0
    low, high = difference((later, *now.interval), (earlier, *then.interval))
    return Change(before.folder, later - earlier, low, high)


def _latest(path: Path) -> Sequence[SampleCheck]:
    """A folder's latest line for each sample.

    Raises:
        UsageError: a line is damaged, or in a newer format.
    """
    return tuple({check.sample: check for check in _lines(path)}.values())


def _lines(path: Path) -> Iterator[SampleCheck]:
    try:
        with open_to_read(path) as file:
            raw = file.read()
    except (OSError, UsageError):
        return
    seals = LineCheck(from_start=True)
    *lines, tail = raw.split(b"\n")
    whole = mended(tail)  # otherwise it is torn
    for number, line in enumerate([*(line + b"\n" for line in lines), *([whole] if whole else [])], start=1):
        try:
            record = seals.record(line)
            check = _CHECKS.validate_json(b"{" + record[len(HEAD) :] if record.startswith(HEAD) else record)
        except ValueError as error:  # includes pydantic's errors
            why = str(error).splitlines()[0]
            raise UsageError(
                f"{path}: line {number} is damaged ({why})",
                hint="delete that line; only the trend uses it",
            ) from None
        yield replace(check, folder=path.parent.name)


_CHECKS = TypeAdapter(SampleCheck)
