"""Rows that are sent as single requests once the batches are done.

These are rows that expired repeatedly, if `--batch-fallback` says so, and doubtful rows, if single requests to the
stronger model of `--escalate-to` cost less, or if a jury votes.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from llmbatch.core.errors import BatchesPending
from llmbatch.core.service_tiers import ServiceTier
from llmbatch.engine.experiments.watch import Experiments
from llmbatch.observe.events import BatchFellBack, Event
from llmbatch.runs.batches.options import BatchFallback, BatchOptions
from llmbatch.runs.ledger.log import Ledger
from llmbatch.session.batches.batch_loop import BatchLoop
from llmbatch.session.session_plan import SessionPlan


def has_single_rows(batches: BatchLoop, reason: Exception | None) -> bool:
    """Whether rows may have to be sent as single requests, after the batches ended in an orderly way."""
    is_in_order = reason is None or isinstance(reason, BatchesPending)
    return is_in_order and (bool(batches.fallback_keys) or batches.asks_alone)


def single_plan(plan: SessionPlan, batches: BatchLoop) -> SessionPlan:
    """The plan that sends only these rows, as single requests."""
    options, keys = plan.batch or BatchOptions(), frozenset(batches.fallback_keys)
    asked = plan.asked
    if options.fallback is BatchFallback.FLEX:
        asked = replace(asked, shape=replace(asked.shape, service_tier=ServiceTier.FLEX))

    def wanted(ledger: Ledger, experiments: Experiments) -> Callable[[str], bool]:
        def is_doubtful(key: str) -> bool:
            return batches.asks_alone and ledger.is_done(key) and experiments.takes(ledger.latest(key))

        return lambda key: key in keys or is_doubtful(key)

    return replace(plan, asked=asked, wanted=wanted, leaves_rows=True, before=None, batch=None)


def single_events(plan: SessionPlan, batches: BatchLoop) -> Iterator[Event]:
    """What to report about it."""
    if (rows := len(batches.fallback_keys)) and plan.batch is not None:
        yield BatchFellBack(rows, plan.batch.patience, plan.batch.fallback.value)
