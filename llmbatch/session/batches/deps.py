"""Shared state of submitting and collecting in one session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.redact import Redactor
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.tally import SessionTally
from llmbatch.observe.events import Event
from llmbatch.provider.batch_api import BatchApi
from llmbatch.runs.batches.files import PartFiles
from llmbatch.runs.batches.log import BatchLog, Part
from llmbatch.runs.batches.options import BatchOptions
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.ledger.log import Ledger
from llmbatch.session.batches.arms import BatchArm
from llmbatch.session.spending import Spending


@dataclass(frozen=True, slots=True)
class BatchDeps:
    """The parts of a batch session."""

    folder: RunFolder
    run_id: str
    arms: Mapping[str, BatchArm]
    """Arms that send batches, by name."""
    endpoint: str
    """Its base URL."""
    options: BatchOptions
    api: BatchApi
    log: BatchLog
    ledger: Ledger
    tally: SessionTally
    spending: Spending
    cancellation: Cancellation
    failed: set[tuple[str, str]]
    """Rows that an arm does not send again in this session, by the arm's name and their keys."""
    drop_canary: Callable[[str], None]
    """Called with the reason if only the canary's model or prompt has a problem, which does not end the run."""
    redact: Redactor
    emit: Callable[[Event], None]
    on_row: Callable[[LedgerLine], None]

    def arm(self, part: Part) -> BatchArm:
        """The arm of a part's rows."""
        return self.arms[part.prepared.arm]

    def files(self, part: Part) -> PartFiles:
        """A part's files."""
        return PartFiles(self.folder.batches, part.number)
