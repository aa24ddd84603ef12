"""An estimate as frozen data: shown on screen, printed by `--json`."""

from dataclasses import asdict, dataclass
from typing import Any

from llmbatch.core.money import to_usd
from llmbatch.estimate.arms import ArmEstimate
from llmbatch.estimate.cost import Cost, Job
from llmbatch.estimate.time import TimeNeeded
from llmbatch.estimate.ways import WayEstimate


@dataclass(frozen=True, slots=True)
class RowsFound:
    """What would happen to the input's rows. Each counts in exactly one field, apart from `total` and `truncated`."""

    total: int = 0
    to_ask: int = 0
    """Rows for which a request will be sent."""
    truncated: int = 0
    """Rows to send of which only a part is sent."""
    like_another: int = 0
    """Rows with the same text as another, which is sent only once."""
    done: int = 0
    """Rows for which the run folder has an answer."""
    too_long: int = 0
    """Rows that would fail without being sent."""
    rejected: int = 0
    """Rows that cannot be read."""


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """The estimate of a run with one model. `cost` is None if a price is unknown."""

    model: str
    rows: RowsFound
    job: Job
    cost: Cost | None
    time: TimeNeeded
    known_rows: int
    """Rows in the run folder from which answer lengths and repeats are known; 0 if they are assumed."""
    service_tier: str | None = None
    """Service tier of the requests; None for the endpoint's default."""
    is_tier_priced: bool = True
    """Whether `cost` uses that tier's price; else the standard price."""
    arms: tuple[ArmEstimate, ...] = ()
    """The main arm first, then the others; `cost` covers all of them."""

    ways: tuple[WayEstimate, ...] = ()
    """The run by each way with a published price; empty if there are several arms."""

    @property
    def unpriced(self) -> str | None:
        """A model with an unknown price; None if all are known."""
        return next((arm.model for arm in self.arms if arm.cost is None), None)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimates of a run, one for each model that the user named."""

    folder: str
    task: str
    models: tuple[ModelEstimate, ...]
    labels: str | None = None
    """Why all labels, or those retrieved for each document, are listed; None if this was not chosen automatically."""


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """The estimate as `--json` prints it: stable names, costs in US dollars, null if a price is unknown."""
    return {
        "folder": estimate.folder,
        "task": estimate.task,
        "labels": estimate.labels,
        "models": [_model_json(model) for model in estimate.models],
    }


def _model_json(estimate: ModelEstimate) -> dict[str, Any]:
    job, cost, documents = estimate.job, estimate.cost, estimate.job.documents
    return {
        "model": estimate.model,
        "rows": asdict(estimate.rows),
        "tokens": {
            "prefix": job.prefix_tokens,
            "documents": round(documents.tokens),
            "documents_margin": round(documents.margin),
            "documents_counted": documents.counted_rows,
            "input": round(job.input_tokens),
            "cached_share": round(job.cached_share, 4),
            "output_per_row": asdict(job.output_tokens),
        },
        "cost_usd": _cost_json(cost),
        "arms": [
            {"arm": arm.arm, "model": arm.model, "rows": asdict(arm.rows), "cost_usd": _cost_json(arm.cost)}
            for arm in estimate.arms
        ],
        "ways": [{"way": way.way, "cost_usd": _cost_json(way.cost), "time": asdict(way.time)} for way in estimate.ways],
        "time": asdict(estimate.time),
        "known_rows": estimate.known_rows,
        "service_tier": estimate.service_tier,
    }


def _cost_json(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None:
        return None
    return {
        "expected": to_usd(cost.expected),
        "low": to_usd(cost.low),
        "high": to_usd(cost.high),
        "without_cache": to_usd(cost.without_cache),
        "movers": {name: to_usd(nanousd) for name, nanousd in cost.movers},
    }
