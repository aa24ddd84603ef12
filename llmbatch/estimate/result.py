"""An estimate as frozen data: shown by the screen, printed by `--json`."""

from dataclasses import asdict, dataclass
from typing import Any

from llmbatch.core.money import to_usd
from llmbatch.estimate.arms import ArmEstimate
from llmbatch.estimate.cost import Cost, Job
from llmbatch.estimate.time import TimeNeeded
from llmbatch.estimate.ways import WayEstimate


@dataclass(frozen=True, slots=True)
class RowsFound:
    """Where the input's rows would go. Each is in exactly one of the fields but `total` and `truncated`."""

    total: int = 0
    to_ask: int = 0
    """Rows that a request will be sent for."""
    truncated: int = 0
    """Of them, rows of which only a part is sent."""
    like_another: int = 0
    """Rows with the same text as another: they are asked about once."""
    done: int = 0
    """Rows that the run folder holds an answer for."""
    too_long: int = 0
    """Rows that would fail unsent."""
    rejected: int = 0
    """Rows that cannot be read."""


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """What a run would come to with one model. `cost` is None where a price is not known."""

    model: str
    rows: RowsFound
    job: Job
    cost: Cost | None
    time: TimeNeeded
    known_rows: int
    """Rows of the run folder that answer lengths and repeats are known from; 0 where they are assumed."""
    service_tier: str | None = None
    """That rows are asked at; None for the endpoint's own."""
    is_tier_priced: bool = True
    """Whether `cost` is by that tier's price; else by the standard one."""
    arms: tuple[ArmEstimate, ...] = ()
    """The run's own plan first, then what is asked beside it; `cost` is of all of them."""

    ways: tuple[WayEstimate, ...] = ()
    """The run on each way that has a published price; none where several arms are asked."""

    @property
    def unpriced(self) -> str | None:
        """A model whose price is not known; None where all are."""
        return next((arm.model for arm in self.arms if arm.cost is None), None)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would come to, with each model that the user named."""

    folder: str
    task: str
    models: tuple[ModelEstimate, ...]
    labels: str | None = None
    """Why all labels are listed, or those retrieved for each document; None where that was not open."""


def estimate_json(estimate: Estimate) -> dict[str, Any]:
    """The estimate as `--json` prints it: stable names, costs in US dollars, null where a price is unknown."""
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
