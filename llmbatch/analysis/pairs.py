"""Rows that have a gold label, each beside the model's answer."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from llmbatch.analysis.gold import Gold
from llmbatch.core.ledger_line import CONTROL
from llmbatch.core.rows import RowId


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of the run with its gold label. `answer` and the confidences are None where the row has no label."""

    row: int
    id: RowId | None
    gold: str
    answer: str | None
    confidence: float | None
    """As the run uses it: calibrated where there is a calibration."""
    confidence_raw: float | None
    """As the model gave it."""
    confidence_from: str | None = None
    model: str | None = None
    """The model that was asked."""
    prompt: str | None = None
    """Fingerprint of the prompt that asked it."""
    arm: str = CONTROL
    key: str = ""
    """The same for rows with the same text; empty where the text is not known, and counts as one of its own."""
    ranks: tuple[int, ...] = ()
    """How many labels would be listed before each gold label, where labels are retrieved for each document."""
    needs_review: bool = False
    """Whether its answer goes to people."""
    confidences: Mapping[str, float] | None = None
    """Of its fields and labels, as the model gave them, where the task has more than one label to give."""
    text: str = field(default="", repr=False)
    """The document's beginning; only where the answer is wrong."""

    @property
    def is_right(self) -> bool:
        """Whether the answer is the gold label."""
        return self.answer == self.gold

    @property
    def text_id(self) -> Hashable:
        """What rows with the same text have in common."""
        return self.key or self.row


@dataclass(frozen=True, slots=True)
class Judged:
    """A run put beside its gold labels."""

    gold: Gold
    pairs: tuple[Pair, ...]
    run_rows: int
    """All rows of the run's input."""
    run_confidences: Sequence[float] = field(repr=False)
    """Of all labelled rows, those without gold included."""
    rest_confidences: Sequence[float] = field(repr=False)
    """Of the labelled texts without gold, each once."""
    candidates: int | None
    """Labels that are listed for each document; None where all are in the prefix."""
    in_review: int
    """Labelled rows that go to people."""
    same_id_rows: int
    """Rows of the run that share their id, and so their gold label, with an earlier one."""
    unmatched: tuple[str, ...]
    """The first few ids of gold rows that the run does not have."""
    unmatched_count: int

    @property
    def labelled(self) -> list[Pair]:
        """The pairs that have an answer."""
        return [pair for pair in self.pairs if pair.answer is not None]
