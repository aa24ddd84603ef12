"""The arms that send batches: the run's own plan, a canary's and a stronger model's, each in separate parts."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from llmbatch.core.prices import PriceBook
from llmbatch.core.redact import Redactor
from llmbatch.engine.batch_outcome import BatchReader
from llmbatch.engine.budget.bill import Biller
from llmbatch.engine.budget.surplus import Surplus
from llmbatch.engine.outcome import OutcomeReader
from llmbatch.engine.plan import Plan
from llmbatch.engine.request_fallbacks import RequestFallbacks
from llmbatch.observe.events import Event
from llmbatch.provider.client import Endpoint
from llmbatch.provider.shape import RequestShape
from llmbatch.runs.folder import RunRecord
from llmbatch.session.batches.price_check import PriceCheck, WayPrices
from llmbatch.session.session_plan import SessionPlan


@dataclass(frozen=True, slots=True)
class BatchArm:
    """A plan for rows that are sent in separate parts."""

    plan: Plan
    fallbacks: RequestFallbacks
    """How its requests are sent."""
    reader: BatchReader
    """Reads their results."""
    price_check: PriceCheck
    canary_key: Callable[[str], str] | None = None
    """The key of a text by the canary's plan, if an answer may also belong to that."""

    @property
    def model(self) -> str:
        """The model that it uses."""
        return self.plan.question.model

    @property
    def form(self) -> str:
        """Digest of the current form of its requests."""
        return hashlib.blake2b(repr(self.fallbacks.shape).encode(), digest_size=4).hexdigest()

    @property
    def fingerprint(self) -> str:
        """Fingerprint of its plan."""
        return self.plan.fingerprint


def batch_arms(
    plan: SessionPlan,
    record: RunRecord,
    endpoint: Endpoint,
    prices: PriceBook,
    redact: Redactor,
    emit: Callable[[Event], None],
) -> dict[str, BatchArm]:
    """The arms of a session, by name.

    Since doubtful rows are few, single requests to the stronger model may cost less: then it is not among the arms.

    Args:
        plan: of the session.
        record: the run's, with the latest form of its requests.
        endpoint: where requests go.
        prices: of models there.
        redact: hides secrets in answers.
        emit: takes events.
    """
    canary, escalation = plan.experiments.canary, plan.experiments.escalation

    def arm(asked: Plan, shape: RequestShape | None = None) -> BatchArm:
        shape = replace(shape or asked.shape, service_tier=None)  # the tier is the batch's own
        outcomes = OutcomeReader(asked, record.calibrations, redact=redact, dialect=endpoint.dialect)
        biller = Biller(asked, prices, Surplus())
        return BatchArm(
            asked,
            RequestFallbacks(shape, endpoint.dialect, redact=redact, emit=emit),
            BatchReader(outcomes, biller, endpoint.dialect, shape),
            PriceCheck(asked, WayPrices.of(prices, asked.question.model)),
            None if canary is None or asked is plan.asked else canary.key_of,
        )

    is_own = plan.asked is plan.plan
    arms = [arm(plan.asked, record.shape if is_own else None)]
    if canary is not None:
        arms.append(arm(canary))
    if escalation is not None:
        stronger = arm(escalation)
        at_any_price = plan.batch is not None and plan.batch.at_any_price
        if at_any_price or not stronger.price_check.needs_measuring(escalation.prefix_tokens):
            arms.append(stronger)
    return {one.plan.arm: one for one in arms}


def asks_alone(plan: SessionPlan, arms: Mapping[str, BatchArm]) -> bool:
    """Whether doubtful rows are sent as single requests: votes on them are never in batches."""
    return any(opinion.arm not in arms for opinion in plan.experiments.second_opinions)
