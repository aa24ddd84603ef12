"""Counts of the views of a run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmbatch.core.key_index import KeyIndex
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.models import is_same_model
from llmbatch.core.rows import Rejection
from llmbatch.databases import TableName
from llmbatch.observe.summary import RowCounts
from llmbatch.runs.decisions import TaskDecisions
from llmbatch.runs.outputs.outcome import FAILED_VIEW, REVIEW, UNDONE, Outcome
from llmbatch.task.label_space import LabelSpace


@dataclass(frozen=True, slots=True)
class OutputCounts:
    """Counts of the outputs, over all rows of the input."""

    rows: RowCounts
    labels: Mapping[str, int]
    failures: Mapping[str, int]
    answered_by: Mapping[str, int]
    files: Mapping[str, Path | TableName | str]
    """Where the views were written, by name."""
    flags: Mapping[str, int] = field(default_factory=dict)
    """Rows by flag, such as `truncated`."""
    stale_decisions: int = 0
    """Texts with a human decision that no row has now, or whose label is no longer in the task."""
    other_models: frozenset[str] = frozenset()
    """Models in `answered_by` that answered although another one was requested."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Input fields that views carry under another name, since their name is one of the views' own."""
    service_tiers: Mapping[str, int] = field(default_factory=dict)
    """Rows by the service tier that their answers report."""
    nul_values: int = 0
    """Values that were changed, since a database does not allow NUL in texts."""


@dataclass(slots=True)
class Tally:
    """Counts row by row."""

    label_space: LabelSpace
    total: int = 0
    ok: int = 0
    review: int = 0
    failed: int = 0
    rejected: int = 0
    undone: int = 0
    reviewed: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    models: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Requested model, and the model that answered."""
    flags: Counter[str] = field(default_factory=Counter)
    service_tiers: Counter[str] = field(default_factory=Counter)
    decided: KeyIndex = field(default_factory=KeyIndex)

    def reject(self, rejection: Rejection) -> None:
        """Count a row that could not be read."""
        self.total += 1
        self.rejected += 1
        self.failures[rejection.kind] += 1

    def add(self, outcome: Outcome) -> None:
        """Count a row."""
        self.total += 1
        if outcome.line is not None and outcome.line.flags:
            self.flags.update(outcome.line.flags)
        if outcome.decision is not None and outcome.decision.category is not None:
            self.decided[outcome.decision.short_text] = 1
        if outcome.view == UNDONE:
            self.undone += 1
        elif outcome.view == FAILED_VIEW and outcome.line is not None and outcome.line.error is not None:
            self.failed += 1
            self.failures[outcome.line.error.kind] += 1
        else:
            self._add_labelled(outcome, outcome.line)

    def _add_labelled(self, outcome: Outcome, line: LedgerLine | None) -> None:
        if outcome.view == REVIEW:
            self.review += 1
        else:
            self.ok += 1
        if outcome.human is not None:
            self.reviewed += 1
        if (category := outcome.category) is not None:
            if self.label_space.takes_one_label:
                self.labels[category] += 1
            else:
                self.labels.update(self.label_space.parts_of(category))
        if line is not None and outcome.is_answered:
            self.models[line.model, line.response_model or line.model] += 1
            if line.service_tier is not None:
                self.service_tiers[line.service_tier] += 1

    def frozen(self, files: Mapping[str, Path | TableName | str], decisions: TaskDecisions) -> OutputCounts:
        """The current counts, with the views' files."""
        answered_by = Counter[str]()
        for (_, answered), count in self.models.items():
            answered_by[answered] += count
        stale = max(len(decisions) - len(self.decided), 0)
        rows = RowCounts(self.total, self.ok, self.review, self.failed, self.rejected, self.undone, self.reviewed)
        return OutputCounts(
            rows,
            self.labels,
            self.failures,
            answered_by,
            files,
            self.flags,
            stale,
            frozenset(answered for asked, answered in self.models if not is_same_model(asked, answered)),
            service_tiers=self.service_tiers,
        )
