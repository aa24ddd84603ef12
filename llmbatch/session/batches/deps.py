"""What submitting and collecting share in one session."""

from collections.abc import Callable
from dataclasses import dataclass

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.redact import Redactor
from llmbatch.engine.batch_outcome import BatchReader
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.tally import SessionTally
from llmbatch.observe.events import Event
from llmbatch.provider.batch_api import BatchApi
from llmbatch.runs.batches.files import PartFiles
from llmbatch.runs.batches.log import BatchLog, Part
from llmbatch.runs.batches.options import BatchOptions
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.ledger.log import Ledger
from llmbatch.session.batches.price_check import PriceCheck
from llmbatch.session.spending import Spending


@dataclass(frozen=True, slots=True)
class BatchDeps:
    """The parts of a batch session."""

    folder: RunFolder
    run_id: str
    fingerprint: str
    """Of the plan."""
    endpoint: str
    """Its base URL."""
    options: BatchOptions
    api: BatchApi
    log: BatchLog
    ledger: Ledger
    tally: SessionTally
    spending: Spending
    cancellation: Cancellation
    reader: BatchReader
    price_check: PriceCheck
    reasked: set[str]
    """Keys of rows whose answer in this session was of no use, and which are asked again."""
    redact: Redactor
    emit: Callable[[Event], None]
    on_row: Callable[[LedgerLine], None]

    def files(self, part: Part) -> PartFiles:
        """A part's files."""
        return PartFiles(self.folder.batches, part.number)
