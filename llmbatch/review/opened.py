"""A run folder opened for review, which works while a run is in progress on it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import quoted
from llmbatch.core.rows import Rejection
from llmbatch.runs.decisions import DecisionLog, TaskDecisions
from llmbatch.runs.folder import RunFolder, RunRecord
from llmbatch.runs.input import RunInput
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.outputs import RunRows
from llmbatch.runs.outputs.outcome import Outcome
from llmbatch.runs.outputs.sample import Draw
from llmbatch.runs.recorded_plan import recorded_plan
from llmbatch.runs.shards import is_in_progress
from llmbatch.runs.standing import standing_run
from llmbatch.runs.trust import NO_TRUST, Trust
from llmbatch.session.standing import refresh_views


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run's input, answers and decisions."""

    folder: RunFolder
    record: RunRecord
    key_of: Callable[[str], str]
    """The key of a row with this text."""
    source: RunInput
    ledger: Ledger
    decisions: TaskDecisions
    is_running: bool

    @property
    def rows(self) -> RunRows:
        """The run's rows in their current state."""
        return RunRows(self.source.read_again, self.key_of, self.ledger, self.decisions, self.record.view_options)

    def outcomes(self) -> Iterator[tuple[Outcome, Mapping[str, Any]]]:
        """Each readable row's outcome, with the input's other fields."""
        return ((item, carried) for item, carried in self.rows.outcomes() if not isinstance(item, Rejection))

    def draw(self) -> Draw:
        """The run's random sample."""
        return Draw(self.record.sample, self.rows.answered())


@contextmanager
def opened(path: Path, trust: Trust = NO_TRUST) -> Iterator[OpenedRun]:
    """Open a run folder; `trust` is what the user says about it.

    Views that a kill left older than the logs are rebuilt.

    Raises:
        UsageError: not a run folder, only a shard's folder, the input is gone, or a file in the folder is damaged.
    """
    folder, record = standing_run(path)
    if record.shard is not None:
        raise UsageError(f"{path} is a shard: review the whole run", hint=f"llmbatch review {quoted(folder.whole)}")
    refresh_views(folder, record)
    key_of, source = recorded_plan(record).key, RunInput.again(record, folder, trust)
    ledger = Ledger.open_to_read(
        folder.ledger, on_line=lambda _, __: None, reread=record.reread, labels=record.task.label_space
    )
    with closing(ledger), closing(DecisionLog(folder.decisions)) as log:
        decisions = TaskDecisions(log, record.task.label_space)
        is_running = record.state == "running" and is_in_progress(folder)
        yield OpenedRun(folder, record, key_of, source, ledger, decisions, is_running)
