"""Rows with a gold label, each paired with the model's answer."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from llmbatch.analysis.gold import Gold
from llmbatch.core.ledger_line import CONTROL
from llmbatch.core.rows import RowId


@dataclass(frozen=True, slots=True)
class Pair:
    """One row of the run with its gold label. `answer` and the confidences are None if the row has no label."""

    row: int
    id: RowId | None
    gold: str
    answer: str | None
    confidence: float | None
    """The confidence used by the run: calibrated if there is a calibration."""
    confidence_raw: float | None
    """The raw confidence from the model."""
    confidence_from: str | None = None
    model: str | None = None
    """The model."""
    prompt: str | None = None
    """Fingerprint of the prompt."""
    arm: str = CONTROL
    key: str = ""
    """Identifies the text, equal for equal texts; empty if unknown, in which case it counts as distinct."""
    ranks: tuple[int, ...] = ()
    """How many labels would be listed before each gold label, if labels are retrieved for each document."""
    needs_review: bool = False
    """Whether its answer needs review."""
    confidences: Mapping[str, float] | None = None
    """Raw confidences of its fields and labels, if the task takes more than one label."""
    text: str = field(default="", repr=False)
    """The start of the document; only if the answer is wrong."""

    @property
    def is_right(self) -> bool:
        """Whether the answer is the gold label."""
        return self.answer == self.gold

    @property
    def text_id(self) -> Hashable:
        """The identifier of the text, equal for equal texts."""
        return self.key or self.row


@dataclass(frozen=True, slots=True)
class Judged:
    """A run joined with its gold labels."""

    gold: Gold
    pairs: tuple[Pair, ...]
    run_rows: int
    """All rows of the run's input."""
    run_confidences: Sequence[float] = field(repr=False)
    """Confidences of all labelled rows, including those without gold."""
    rest_confidences: Sequence[float] = field(repr=False)
    """Confidences of the labelled texts without gold, each once."""
    candidates: int | None
    """Labels listed for each document; None if all are in the prefix."""
    in_review: int
    """Labelled rows that need review."""
    same_id_rows: int
    """Rows of the run that share their id, and thus their gold label, with an earlier row."""
    unmatched: tuple[str, ...]
    """The first few ids of gold rows not in the run."""
    unmatched_count: int

    @property
    def labelled(self) -> list[Pair]:
        """The pairs with an answer."""
        return [pair for pair in self.pairs if pair.answer is not None]
