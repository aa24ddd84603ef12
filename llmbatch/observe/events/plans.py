"""The plan of a run: its prompt, model and price, before anything is sent."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from llmbatch.core.money import to_usd
from llmbatch.core.plurals import counted
from llmbatch.observe.events.event import Event, Level, dollars, time_span


class PrefixPlanned(Event, frozen=True):
    """The content of each request's stable part, and how much of it the provider's cache should serve."""

    name = "prefix.planned"
    is_detail = True
    tokens: int
    cached_tokens: int
    pool_examples: int
    why: str
    """What was decided, and why."""
    template = "prompt: {why}"


class ArmEstimated(Struct, frozen=True, gc=False):
    """Estimated cost of one arm of a run, nano-dollars; None if its price is not known."""

    arm: str
    model: str
    low_rows: int
    high_rows: int
    low_nanousd: int | None
    high_nanousd: int | None

    def described(self, share: float) -> str:
        """The arm in a few words, for this share (a factor) of the rows."""
        rows = sorted({round(share * self.low_rows), round(share * self.high_rows)})
        asked = f"{self.arm} {self.model}, {' to '.join(f'{count:,}' for count in rows)} rows"
        if self.low_nanousd is None or self.high_nanousd is None:
            return asked
        return f"{asked}: {dollars(share * self.low_nanousd)} to {dollars(share * self.high_nanousd)}"


class RunEstimated(Event, frozen=True):
    """The run's cost, estimated from the beginning of its input. Costs are None if a model's price is not known."""

    name = "run.estimate"
    model: str
    rows: int
    """Rows to send, among those that were examined."""
    done: int
    """Among those examined, rows that already have their label."""
    is_whole: bool
    """Whether all rows were examined."""
    cost_nanousd: int | None
    low_nanousd: int | None
    high_nanousd: int | None
    seconds: float | None
    arms: tuple[ArmEstimated, ...] = ()
    """The arms: the run's own plan, a canary, a stronger model; the costs above are those of all of them."""

    @property
    def message(self) -> str:
        """The estimate in a sentence, with its arms if there are several."""
        if not self.rows and self.is_whole:
            return "nothing to send: every row has its label"
        if self.cost_nanousd is None or self.low_nanousd is None or self.high_nanousd is None:
            return f"estimate: {counted(self.rows, 'row')} to send; the price of {self.model} is unknown"
        share, what = 1.0, f"{counted(self.rows, 'row')} to send"
        if not self.is_whole and self.rows:
            share, what = 1000 / self.rows, f"from the first {counted(self.rows, 'row')}, per 1,000"
        amounts = (dollars(share * nanousd) for nanousd in (self.cost_nanousd, self.low_nanousd, self.high_nanousd))
        time = "" if self.seconds is None else f", about {time_span(self.seconds)}"
        arms = "".join(f"; {arm.described(share)}" for arm in self.arms) if len(self.arms) > 1 else ""
        return "estimate: {}: about {} ({} to {}){}{}".format(what, *amounts, time, arms)

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        costs = {"cost_usd": self.cost_nanousd, "low_usd": self.low_nanousd, "high_usd": self.high_nanousd}
        return {
            "model": self.model,
            "rows": self.rows,
            "done": self.done,
            "is_whole": self.is_whole,
            **{name: None if nanousd is None else to_usd(nanousd) for name, nanousd in costs.items()},
            "seconds": self.seconds,
            "arms": [
                {
                    "arm": arm.arm,
                    "model": arm.model,
                    "low_rows": arm.low_rows,
                    "high_rows": arm.high_rows,
                    "low_usd": None if arm.low_nanousd is None else to_usd(arm.low_nanousd),
                    "high_usd": None if arm.high_nanousd is None else to_usd(arm.high_nanousd),
                }
                for arm in self.arms
            ],
        }


class PacksMadeSmaller(Event, frozen=True):
    """The model cannot handle this many rows in a request: too many had to be sent again."""

    name = "packs.smaller"
    level = Level.WARNING
    before: int
    """Rows per request."""
    rows: int
    """Rows per request from now on."""
    again: int
    asked: int
    """Rows of the latest packs that had to be sent again."""
    why: str
    """The reason for one of them."""
    template = (
        "rows per request: {rows} instead of {before}, because {again} of {asked} rows had to be sent again ({why})"
    )


class PackingDecided(Event, frozen=True):
    """`--rows-per-request auto` has decided, based on what a comparison measured."""

    name = "packing.decided"
    rows: int
    """Rows per request."""
    why: str

    @property
    def message(self) -> str:
        """Rows per request, and why."""
        return f"{'one row per request' if self.rows == 1 else f'{self.rows} rows per request'}: {self.why}"


class PlanChanged(Event, frozen=True):
    """The plan has changed since the last session, so finished rows are sent again."""

    name = "plan.changed"
    level = Level.WARNING
    changed: tuple[str, ...]
    """What changed, among `prompt`, `model`, `parameters`."""
    rows: int
    """Finished rows that will be sent again."""
    cost_nanousd: int | None
    """The expected cost of this; None if the price is not known."""
    offline: bool

    @property
    def message(self) -> str:
        """What changed, how many rows, and at what cost."""
        cost = "" if self.cost_nanousd is None else f", about {dollars(self.cost_nanousd)}"
        free = " simulated (free)" if cost and self.offline else ""
        rows = counted(self.rows, "finished row")
        return f"the {' and the '.join(self.changed)} changed: {rows} will be sent again{cost}{free}"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        cost_usd = None if self.cost_nanousd is None else to_usd(self.cost_nanousd)
        return {"changed": self.changed, "rows": self.rows, "cost_usd": cost_usd, "offline": self.offline}


class PriceUnknown(Event, frozen=True):
    """No price is published for this model at this endpoint, and the user gave none."""

    name = "price.unknown"
    level = Level.WARNING
    template = "the price of {model} is unknown, and so are costs: --price sets it"
    model: str


class PriceNone(Event, frozen=True):
    """The endpoint is the user's own server."""

    name = "price.none"
    template = "{endpoint} is your own server, so answers count as free: --price sets a price"
    endpoint: str


class ModelRetires(Event, frozen=True):
    """The model's provider has announced its shutdown."""

    name = "model.retires"
    level = Level.WARNING
    template = "OpenAI has announced that it will shut down {model} on {on}: choose another model in time (--model)"
    model: str
    on: str
    """The date, ISO 8601."""


class WayChosen(Event, frozen=True):
    """`--cheapest` has chosen: single requests (`sync`), the flex tier, or batches."""

    name = "way.chosen"
    way: str
    cost_nanousd: int | None
    """Expected cost; None if rows are at the provider in batches, which are collected first."""
    costs_nanousd: Mapping[str, int]
    """Expected cost of each way."""

    @property
    def message(self) -> str:
        """The way chosen, and what each would cost."""
        if self.cost_nanousd is None:
            return f"--cheapest: {self.way}, since batches are at the provider"
        return f"--cheapest: {self.way} (" + ", ".join(f"{w} {dollars(c)}" for w, c in self.costs_nanousd.items()) + ")"

    def fields(self) -> dict[str, Any]:
        """Money in US dollars."""
        cost = None if self.cost_nanousd is None else to_usd(self.cost_nanousd)
        return {"way": self.way, "cost_usd": cost, "costs_usd": {w: to_usd(c) for w, c in self.costs_nanousd.items()}}


class ServiceTierUnpriced(Event, frozen=True):
    """A service tier is requested that has no published price for the model."""

    name = "tier.unpriced"
    level = Level.WARNING
    template = (
        "no {tier} price is published for {model}: rows count at the standard price, and the endpoint may "
        "refuse the tier"
    )
    model: str
    tier: str


class TruncationUnbounded(Event, frozen=True):
    """Long documents are to be cut, but the allowed length is unknown."""

    name = "truncation.unbounded"
    level = Level.WARNING
    template = "--truncate has no effect yet: the context window of {model} is unknown; --max-doc-tokens sets a length"
    model: str


class LabelsPlanned(Event, frozen=True):
    """It was decided how labels are listed."""

    name = "labels.planned"
    template = "labels: {why}"
    why: str


class CalibrationUsed(Event, frozen=True):
    """The task's calibration applies to this run."""

    name = "calibration.used"
    template = "confidence is calibrated by {file} ({method}, fitted on {rows:,} gold rows)"
    file: str
    method: str
    rows: int
    """Gold rows that it was fitted on."""


class ThresholdsUsed(Event, frozen=True):
    """The task's labels have review thresholds of their own that apply to this run."""

    name = "thresholds.used"
    template = "{labels:,} labels have their own review threshold from {file}, each for a precision of {precision:.0%}"
    file: str
    labels: int
    precision: float
    has_others: bool
    """Whether there is one for all other labels together."""


class CalibrationMissing(Event, frozen=True):
    """There is a calibration file, but nothing in it applies to this run."""

    name = "calibration.missing"
    level = Level.WARNING
    template = (
        "{file} has no calibration for this prompt, model and kind of confidence: confidence is uncalibrated; "
        "run `llmbatch calibrate`"
    )
    file: str


class LogprobsUnknown(Event, frozen=True):
    """Confidence was to be measured, but the model is known not to return log-probabilities."""

    name = "confidence.reported"
    level = Level.WARNING
    template = "{model} gives no log-probabilities when it reasons: using its stated confidence"
    model: str


class ArmBegins(Event, frozen=True):
    """A comparison starts its next arm."""

    name = "compare.arm"
    template = "arm {number} of {of}: {arm}"
    arm: str
    number: int
    of: int
