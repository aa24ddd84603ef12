"""`--cheapest`: the way with the lowest expected cost, among those that support the run and are fast enough."""

from dataclasses import replace
from datetime import UTC, datetime

from llmbatch.core.service_tiers import BATCH, ServiceTier
from llmbatch.estimate.estimate import EstimateOptions, estimate_run
from llmbatch.estimate.ways import FLEX, SYNC, cheapest
from llmbatch.observe.events import WayChosen
from llmbatch.runs.batches.log import parts_of
from llmbatch.runs.batches.way import obstacle
from llmbatch.runs.folder import STDIN, RunFolder
from llmbatch.runs.options import RunOptions


def with_cheapest_way(options: RunOptions) -> tuple[RunOptions, tuple[WayChosen, ...]]:
    """The options with the way chosen, and what to report about it.

    Rows that are at the provider in batches are collected, whatever single requests cost now.

    Raises:
        UsageError: the input, the task or an option cannot be used.
    """
    if options.cheapest is None or options.choice.service_tier is not None or STDIN in options.inputs:
        return options, ()
    folder = RunFolder.for_inputs(options.inputs, options.out, offline=options.sending.offline)
    if options.shard is not None:
        folder = folder.shard(options.shard)
    single = replace(options, auto_packing=None, sending=replace(options.sending, packing=None))
    in_batches = replace(single, batch=options.cheapest)
    if any(part.is_open for part in parts_of(folder)):
        return in_batches, (WayChosen(BATCH, None, {}),)
    (estimate,) = estimate_run(EstimateOptions(options)).models
    allowed = {SYNC, FLEX} if obstacle(in_batches, is_stream=False) is not None else {SYNC, FLEX, BATCH}
    deadline = options.sending.deadline
    within_s = None if deadline is None else (deadline - datetime.now(UTC)).total_seconds()
    chosen = cheapest(estimate.ways, frozenset(allowed), within_s)
    if chosen is None:
        return options, ()
    costs = {way.way: way.cost.expected for way in estimate.ways}
    event = WayChosen(chosen.way, costs[chosen.way], costs)
    if chosen.way == BATCH:
        return in_batches, (event,)
    if chosen.way == FLEX:
        options = replace(options, choice=replace(options.choice, service_tier=ServiceTier.FLEX))
    return options, (event,)
