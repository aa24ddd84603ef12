"""Opens a run's ledger after an orderly end, a kill, or damage."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from llmbatch.core.files import storing
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.engine.tally import LedgerTotals
from llmbatch.observe.events import Event, LedgerSalvaged, LedgerTorn, PossiblyBilledFound, SentLogDamaged
from llmbatch.runs.batches.log import parts_of
from llmbatch.runs.batches.lost import with_lost_rows
from llmbatch.runs.folder import PossiblyBilled, RunFolder, RunRecord
from llmbatch.runs.ledger.checkpoint import Checkpoint, load_checkpoint
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.ledger.recover import cut_torn_tail, salvage_ledger, write_again
from llmbatch.runs.ledger.reserve import Reserve
from llmbatch.runs.ledger.sent import Leftovers, SentLog


@dataclass(frozen=True, slots=True)
class OpenLedger:
    """An open ledger, and the cost of earlier sessions."""

    ledger: Ledger
    record: RunRecord
    """The run's record, including what a killed session may have been billed for."""
    totals: LedgerTotals
    checkpointed: int
    """Bytes of the ledger that its checkpoint covers."""

    set_aside_nanousd: int = 0
    """What this session has already spent and reserved, nano-dollars."""

    @property
    def spent_nanousd(self) -> int:
        """What the run has cost, may have cost and has reserved, nano-dollars."""
        killed = sum(session.at_most_nanousd for session in self.record.possibly_billed.values())
        return self.totals.usage.most_nanousd + killed + self.set_aside_nanousd


class LedgerOpening:
    """Repairs what a crash may have done to a ledger, opens it, and counts its lines."""

    def __init__(
        self, folder: RunFolder, record: RunRecord, sent: SentLog, reserve: Reserve, *, emit: Callable[[Event], None]
    ) -> None:
        self._folder = folder
        self._record = record
        self._sent = sent
        self._reserve = reserve
        self._emit = emit

    def open(
        self, *, salvages: bool, watch: Callable[[LedgerLine], None] | None, check: Callable[[], None]
    ) -> OpenLedger:
        """Open it.

        Args:
            salvages: move damaged lines aside instead of refusing the ledger.
            watch: receives every line as it counts now; None if a checkpoint may replace most of them.
            check: called for each line; may raise to end the reading.

        Raises:
            UsageError: a line in the middle is damaged.
            StorageFailed: repairs cannot be written.
        """
        path = self._folder.ledger
        if salvages:
            self._salvage()
        left = self._sent.leftovers()
        if left is not None:
            with storing(path):
                write_again(path, left.ledger_offset or 0)
        checkpoint, totals = self._restored(left) if watch is None else (None, LedgerTotals())
        settled: Counter[str] = Counter()

        def note(offset: int, line: LedgerLine) -> None:
            check()
            totals.add(line)
            if watch is not None:
                watch(line)
            is_single = line.batch is None  # rows of batches are not in the log of single requests
            if is_single and left is not None and left.ledger_offset is not None and offset >= left.ledger_offset:
                settled[line.key] += line.attempts

        ledger, torn = Ledger.open(
            path,
            on_line=note,
            reread=self._record.reread,
            labels=self._record.task.label_space,
            reserve=self._reserve,
            checkpoint=checkpoint,
        )
        if torn is not None:
            self._emit(LedgerTorn(torn.name))
        record = self._record if left is None else self._with_unsettled(left, settled)
        record = with_lost_rows(record, parts_of(self._folder))
        return OpenLedger(ledger, record, totals, 0 if checkpoint is None else checkpoint.size)

    def _salvage(self) -> None:
        with storing(self._folder.ledger):
            cut_torn_tail(self._folder.ledger)
            moved = salvage_ledger(self._folder.ledger)
        if moved is not None:
            self._emit(LedgerSalvaged(moved.lines))

    def _restored(self, left: Leftovers | None) -> tuple[Checkpoint | None, LedgerTotals]:
        """What earlier sessions knew about the ledger, except lines that a killed session wrote, which count singly."""
        checkpoint = load_checkpoint(self._folder.ledger)
        offset = None if left is None else left.ledger_offset
        if checkpoint is None or (offset is not None and checkpoint.size > offset):
            return None, LedgerTotals()
        try:
            return checkpoint, LedgerTotals.restored(checkpoint.sums)
        except (TypeError, ValueError):
            return None, LedgerTotals()

    def _with_unsettled(self, left: Leftovers, settled: Counter[str]) -> RunRecord:
        """The record with the requests of a killed session that have no outcome."""
        lost, damage = left.unsettled(settled), left.damage
        if damage.requests:
            self._emit(SentLogDamaged(damage.requests, damage.at_most_nanousd))
        if lost:
            self._emit(PossiblyBilledFound(len(lost), sum(sent.at_most_nanousd for sent in lost)))
        if not lost and not damage.requests:
            return self._record
        billed = PossiblyBilled(
            requests=len(lost) + damage.requests,
            at_most_nanousd=sum(sent.at_most_nanousd for sent in lost) + damage.at_most_nanousd,
        )
        return self._record.updated(possibly_billed={**self._record.possibly_billed, left.started_at: billed})
