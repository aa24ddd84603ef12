"""What `--json` prints, as types: one for each command, from which its JSON Schema is generated.

Tests check the real output of every command against them. Fields may be added; existing ones stay.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from llmbatch.analysis.comparison import Compared
from llmbatch.analysis.field_scores import FieldScores
from llmbatch.analysis.fit import Calibrated
from llmbatch.analysis.gates import Gate
from llmbatch.analysis.gold import GoldIssues
from llmbatch.analysis.metrics import Average, LabelScore, Proportion
from llmbatch.analysis.reliability import Reliability
from llmbatch.analysis.thresholds import Thresholds
from llmbatch.analysis.tree_scores import TreeScores
from llmbatch.core.errors import UsageError
from llmbatch.estimate.time import TimeNeeded
from llmbatch.observe.listing import Listing
from llmbatch.observe.summary import RowCounts


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class Prefix(_Document):
    """What stands at the beginning of each request."""

    cached_tokens: int
    pool_examples: int
    why: str


class Usage(_Document):
    """Tokens and money of all sessions; null is what no answer has reported, or a price that is unknown."""

    requests: int
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    cached_share: float | None
    input_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    cost_per_1000_rows_usd: float | None
    possibly_billed_usd: float | None
    possibly_billed_requests: int
    saved_usd: float | None


class SessionFigures(_Document):
    """The session that has just ended."""

    answered: int
    reused: int
    from_earlier_runs: int
    skipped: int
    requests: int
    elapsed_s: float
    rows_per_s: float
    cost_usd: float | None
    labelled: int
    cost_per_1000_rows_usd: float | None


class AtProvider(_Document):
    """What is at the provider in batches."""

    parts: int
    rows: int
    at_most_usd: float | None
    expires_at: str | None


class SummaryDocument(_Document):
    """classify, retry, merge and show: a run's summary."""

    folder: str
    state: str
    exit_code: int | None
    reason: str | None
    model: str
    answered_by: dict[str, int]
    service_tiers: dict[str, int]
    endpoint: str
    offline: bool
    task: str
    prompt: str
    prefix_tokens: int
    prefix: Prefix
    rows: RowCounts
    labels: dict[str, int]
    usage: Usage
    session: SessionFigures
    retries: dict[str, int]
    failures: dict[str, int]
    flags: dict[str, int]
    parse: dict[str, int]
    at_provider: AtProvider
    canary: dict[str, Any] | None = None
    escalation: dict[str, Any] | None = None
    jury: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    input_changes: list[dict[str, Any]]
    files: dict[str, str]
    notes: list[str]
    to_do: str
    next_commands: list[str]


class Cost(_Document):
    """US dollars."""

    expected: float
    low: float
    high: float
    without_cache: float
    movers: dict[str, float]


class Way(_Document):
    """One of the ways to send: sync, flex, batch."""

    way: str
    cost_usd: Cost | None
    time: TimeNeeded


class ArmCost(_Document):
    """What one prompt and model come to."""

    arm: str
    model: str
    rows: dict[str, float]
    cost_usd: Cost | None


class TokenEstimate(_Document):
    """Tokens of the rows to send."""

    prefix: int
    documents: int
    documents_margin: int
    documents_counted: int
    input: int
    cached_share: float
    output_per_row: dict[str, float]


class ModelEstimateDocument(_Document):
    """Cost and time of a run with one model."""

    model: str
    rows: dict[str, Any]
    tokens: TokenEstimate
    cost_usd: Cost | None
    arms: list[ArmCost]
    ways: list[Way]
    time: TimeNeeded
    known_rows: int
    service_tier: str | None


class EstimateDocument(_Document):
    """estimate: cost and time, nothing sent."""

    folder: str
    task: str
    labels: Any
    models: list[ModelEstimateDocument]


class AppliedDocument(_Document):
    """A threshold that was written into a task."""

    task: str
    review_below: float
    before: float | None


class EvaluationDocument(BaseModel):
    """evaluate: shares in 0..1, null where a figure is undefined."""

    folder: str
    task: str
    model: str
    prompt: str
    offline: bool
    review_below: float
    rows: int
    reviewed: int
    gold_file: str
    gold_rows: int
    matched: int
    texts: int
    accuracy: Proportion
    fields: list[FieldScores]
    tree: TreeScores | None
    accuracy_of_task_labels: Proportion
    unanswerable: int
    accuracy_of_all: Proportion
    coverage: Proportion
    kappa: float | None
    macro: Average
    weighted: Average
    labels: list[LabelScore]
    confusion_matrix: dict[str, Any]
    confusions: list[dict[str, Any]]
    reliability: Reliability | None
    thresholds: Thresholds
    issues: GoldIssues
    notes: list[str]
    gates: list[Gate]
    applied: AppliedDocument | None


class SpendingDocument(_Document):
    """spend, and show --by: what was spent, by group."""

    by: str
    offline: bool
    since: str | None
    until: str | None
    compared_since: str | None
    compared_until: str | None
    groups: list[dict[str, Any]]
    total: dict[str, Any]
    notes: list[str]


class WasteDocument(_Document):
    """Something that can go."""

    kind: str
    place: str
    count: int
    bytes: int


class CleanDocument(_Document):
    """runs clean."""

    waste: list[WasteDocument]
    bytes: int
    removed: bool


class RepairDocument(_Document):
    """repair."""

    folder: str
    ledger_lines: int
    decisions: int
    files: list[str]
    next: str | None


class FindingDocument(_Document):
    """One thing that the lint has to say."""

    level: str
    code: str
    message: str


class TaskFindings(_Document):
    """What the lint says of a task."""

    task: str
    findings: list[FindingDocument]


class CheckDocument(_Document):
    """prompt check."""

    tasks: list[TaskFindings]


class LookDocument(BaseModel):
    """How an input is read."""

    file: str
    findings: list[str]
    fields: list[str]
    id_field: str | None
    text_fields: list[str]
    rows: int | None
    rejected: dict[str, Any]
    remarks: list[str]
    documents: list[dict[str, Any]]


class InputDocument(_Document):
    """input."""

    inputs: list[LookDocument]


class StoreDocument(_Document):
    """cache show: times are seconds since 1970."""

    store: str
    answers: int
    bytes_on_disk: int
    oldest: int | None
    newest: int | None
    by_model: dict[str, int]


class Value(_Document):
    """An option's value, and where it is from."""

    value: Any
    source: str


class ConfigDocument(_Document):
    """config show."""

    command: str
    file: str | None
    values: dict[str, Value]


class CanaryDocument(_Document):
    """canary report."""

    prompt: str
    model: str
    share: float
    dropped: Any
    arms: dict[str, Any]
    shifts: list[dict[str, Any]]
    compared_rows: int


class ReviewDocument(BaseModel):
    """review status: shares in 0..1, null where nothing was checked."""

    sample: dict[str, Any] | None
    conflict_rows: list[dict[str, Any]]
    agreement: dict[str, Any] | None
    runs: list[dict[str, Any]]
    change: dict[str, Any] | None


class BatchDocument(_Document):
    """batch list."""

    parts: list[dict[str, Any]]


DOCUMENTS: Mapping[str, Any] = {
    "classify": SummaryDocument,
    "retry": SummaryDocument,
    "merge": SummaryDocument,
    "show": SummaryDocument,
    "estimate": EstimateDocument,
    "input": InputDocument,
    "runs list": Listing,
    "runs clean": CleanDocument,
    "repair": RepairDocument,
    "evaluate": EvaluationDocument,
    "calibrate": Calibrated,
    "compare": Compared,
    "spend": SpendingDocument,
    "review status": ReviewDocument,
    "canary report": CanaryDocument,
    "cache show": StoreDocument,
    "config show": ConfigDocument,
    "prompt check": CheckDocument,
    "batch list": BatchDocument,
}
"""By command, preceded by the name of its group."""


def document_schema(command: str) -> dict[str, Any]:
    """The JSON Schema of what a command prints with `--json`.

    Raises:
        UsageError: there is no such command, or it prints no JSON.
    """
    document = DOCUMENTS.get(command)
    if document is None:
        raise UsageError(f"{command!r} has no --json schema", hint=f"commands that have one: {', '.join(DOCUMENTS)}")
    schema = TypeAdapter(document).json_schema(mode="serialization")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **schema, "title": f"llmbatch {command} --json"}
