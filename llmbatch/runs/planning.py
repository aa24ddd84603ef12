"""The plan of a run that is about to begin or to resume."""

from dataclasses import replace

from llmbatch.core.prices import Price, PriceBook
from llmbatch.engine.label_planning import LabelPlan, with_planned_labels
from llmbatch.engine.plan import Plan, asked_model, make_plan
from llmbatch.provider.plugged import dialect_named
from llmbatch.runs.folder import RunRecord
from llmbatch.runs.input import RunInput
from llmbatch.runs.options import RunOptions
from llmbatch.task.load import LoadedTask
from llmbatch.task.prefix_policy import PrefixPolicy


def decided_labels(
    loaded: LoadedTask, options: RunOptions, base_url: str | None, standing: RunRecord | None
) -> tuple[RunOptions, LabelPlan | None]:
    """The options with an open choice of how labels are listed decided, and the decision; None if nothing was open.

    Raises:
        UsageError: labels have to be retrieved, and the library for it is not installed.
    """
    choice, planned = with_planned_labels(
        loaded,
        options.choice,
        offline=options.sending.offline,
        price=_price(loaded, options, base_url),
        standing=None if standing is None else standing.choice,
    )
    return replace(options, choice=choice), planned


def _price(loaded: LoadedTask, options: RunOptions, base_url: str | None) -> Price | None:
    choice = options.choice
    prices, tier = PriceBook(base_url, options.sending.price), choice.service_tier or loaded.task.model.service_tier
    return prices.price(asked_model(loaded.task, choice), service_tier=tier)


def plan_run(
    loaded: LoadedTask, options: RunOptions, base_url: str | None, source: RunInput, standing: RunRecord | None
) -> Plan:
    """The plan of a run. An existing run keeps its prefix, so that appended rows do not make finished ones pending.

    So does a promoted canary.

    Args:
        loaded: the task.
        options: the run's.
        base_url: the endpoint's, which determines prices; None for the offline endpoint.
        source: the input, whose rows are counted if the content of the prefix depends on their number.
        standing: the run folder's record, if there is one.

    Raises:
        UsageError: there is no such dialect, even if nothing would be sent with it.
    """
    choice, offline = options.choice, options.sending.offline
    dialect_named(choice.dialect)
    if choice.prefix is not PrefixPolicy.AUTO or not loaded.task.pool:
        return make_plan(loaded, choice, offline=offline)
    if standing is not None and standing.prefix is not None:
        plan = make_plan(loaded, choice, offline=offline, pool_examples=standing.prefix.pool_examples)
        if plan.fingerprint == standing.fingerprint:
            return plan
    if standing is not None and standing.canary is not None:
        promoted, canary = make_plan(loaded, choice, offline=offline), standing.canary
        if (promoted.prompt, promoted.question.model) == (canary.prompt, canary.model):
            return promoted  # the promoted canary keeps the plan with which it was on trial
    price = _price(loaded, options, base_url)
    return make_plan(loaded, choice, offline=offline, price=price, rows=source.count(), has_hits=options.batch is None)
