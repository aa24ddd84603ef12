"""The arms that send batches: the run's own plan, a canary's and a stronger model's, each in parts of its own."""

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
    """A plan by which rows are asked about, in parts of its own."""

    plan: Plan
    fallbacks: RequestFallbacks
    """How its requests are sent."""
    reader: BatchReader
    """Of their results."""
    price_check: PriceCheck
    canary_key: Callable[[str], str] | None = None
    """The key of a text by the canary's plan, where an answer may be one to that, too."""

    @property
    def model(self) -> str:
        """The model it asks."""
        return self.plan.question.model

    @property
    def form(self) -> str:
        """Digest of the form in which its requests are sent now."""
        return hashlib.blake2b(repr(self.fallbacks.shape).encode(), digest_size=4).hexdigest()

    @property
    def fingerprint(self) -> str:
        """Of its plan."""
        return self.plan.fingerprint


def batch_arms(
    plan: SessionPlan,
    record: RunRecord,
    endpoint: Endpoint,
    prices: PriceBook,
    redact: Redactor,
    emit: Callable[[Event], None],
) -> dict[str, BatchArm]:
    """The arms of a session, by their names.

    Doubtful rows are few, so that it may cost less to ask the stronger model about each by itself: then it is not among
    them.

    Args:
        plan: what the session is to do.
        record: the run's, with how its requests were sent in the end.
        endpoint: whom it asks.
        prices: what models cost there.
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
    """Whether each doubtful row is asked about by itself: what votes on them is no arm of batches."""
    return any(opinion.arm not in arms for opinion in plan.experiments.second_opinions)
