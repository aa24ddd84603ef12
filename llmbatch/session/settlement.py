"""What a dead session actually cost, by its run folder: the ledger's lines, and the requests without one."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from msgspec.structs import astuple

from llmbatch.core.errors import StorageFailed, UsageError
from llmbatch.core.filenames import restored
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.tally import DailyTotals
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.ledger.recover import read_lines
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.spend.book import Settlement


def actual_spend(session: str, run: str) -> Settlement | None:
    """The spending of the session in a run folder's `sent.log`; None if that is another one, or cannot be read.

    A request that was in flight, or whose line is damaged, counts with the maximum that may have been reserved for it,
    on the session's last day.
    """
    folder = RunFolder(Path(restored(run)))
    try:
        left = SentLog(folder.sent_log).leftovers()
        if left is None or left.ledger_offset is None or left.started_at != session:
            return None
        daily, settled = DailyTotals(), Counter[str]()
        for _, line in read_lines(folder.ledger, start=left.ledger_offset):  # a torn line has no outcome
            if line.batch is None:  # a batch has an account of its own, and is not in the log of single requests
                daily.add(line)
                settled[line.key] += line.attempts
    except (StorageFailed, UsageError, OSError, ValueError, TypeError, KeyError):
        return None
    lost = left.unsettled(settled)
    try:
        days = {day: UsageTotals.restored(sums) for day, sums in left.came_to.items()}
    except TypeError:
        return None  # by a version with other totals
    for day, usage in daily.usage().items():
        days[day] = days.get(day, UsageTotals()) + usage
    requests = len(lost) + left.damage.requests
    if requests:
        last = max(days, default=session[:_DAY])
        at_most_nanousd = sum(sent.at_most_nanousd for sent in lost) + left.damage.at_most_nanousd
        days[last] = days.get(last, UsageTotals()) + UsageTotals(
            possibly_billed_nanousd=at_most_nanousd, possibly_billed_requests=requests, requests=requests
        )
    total_nanousd = sum(usage.most_nanousd for usage in days.values())
    if any(not 0 <= amount <= _LARGEST for usage in days.values() for amount in (*astuple(usage), total_nanousd)):
        return None  # no session can reach that: a line is wrong
    return Settlement(days, total_nanousd)


def in_flight_nanousd(folder: RunFolder, known: Collection[str]) -> int:
    """The maximum cost of the requests that were in flight when a folder's last session was killed.

    Args:
        folder: the run folder; the caller holds its lock.
        known: the sessions whose requests in flight have already been counted.
    """
    left = SentLog(folder.sent_log).leftovers()
    if left is None or left.started_at in known:
        return 0
    settled = Counter[str]()
    for _, line in read_lines(folder.ledger, start=left.ledger_offset or 0):
        if line.batch is None:
            settled[line.key] += line.attempts
    return sum(sent.at_most_nanousd for sent in left.unsettled(settled)) + left.damage.at_most_nanousd


_LARGEST = (1 << 63) - 1  # the largest amount that the store can represent
_DAY = len("2026-11-25")  # a session's name begins with the day on which it began
