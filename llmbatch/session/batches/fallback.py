"""Rows that expire again and again are sent by themselves, as `--batch-fallback` says."""

from collections.abc import Callable
from dataclasses import replace

from llmbatch.core.errors import BatchesPending
from llmbatch.core.service_tiers import ServiceTier
from llmbatch.engine.experiments.watch import Experiments
from llmbatch.observe.events import BatchFellBack
from llmbatch.runs.batches.options import BatchFallback, BatchOptions
from llmbatch.runs.ledger.log import Ledger
from llmbatch.session.batches.batch_loop import BatchLoop
from llmbatch.session.session_plan import SessionPlan


def falls_back(batches: BatchLoop, reason: Exception | None) -> bool:
    """Whether rows are to be sent by themselves, once the batches are dealt with in order."""
    return bool(batches.fallback_keys) and (reason is None or isinstance(reason, BatchesPending))


def fallback_plan(plan: SessionPlan, batches: BatchLoop) -> tuple[SessionPlan, BatchFellBack]:
    """The plan that sends these rows, and no other, by themselves; and what is to be reported of it."""
    options, keys = plan.batch or BatchOptions(), frozenset(batches.fallback_keys)
    asked = plan.asked
    if options.fallback is BatchFallback.FLEX:
        asked = replace(asked, shape=replace(asked.shape, service_tier=ServiceTier.FLEX))

    def wanted(ledger: Ledger, _: Experiments) -> Callable[[str], bool]:
        return lambda key: key in keys and not ledger.is_done(key)

    single = replace(plan, asked=asked, wanted=wanted, leaves_rows=True, before=None, batch=None)
    return single, BatchFellBack(len(keys), options.patience, options.fallback.value)
