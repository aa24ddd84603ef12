"""Decides whether requests list all labels or those retrieved for their document, by price and measured recall.

If all labels are in the prefix, none is missing, and they come from the cache; retrieved labels are few, are charged at
the full price, and may not include the right one. How often they do not is measured on the task's own examples: each
half is searched for with only the other half known. Beyond the limits of strict schemas, there is no choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llmbatch.core import defaults
from llmbatch.core.errors import UsageError
from llmbatch.core.models import OutputMode, profile_of
from llmbatch.core.prices import Price
from llmbatch.core.usage import Usage
from llmbatch.engine.label_lists import can_descend
from llmbatch.engine.plan import ModelChoice, Plan, asked_model, make_plan
from llmbatch.task.candidates import Candidates
from llmbatch.task.load import LoadedTask
from llmbatch.task.model import Example, Task
from llmbatch.task.schema_limits import exceeds_schema
from llmbatch.tokens import count_tokens

SIZES = (10, 20, 50, 100)
"""Lengths of lists to try."""
WANTED_RECALL = 0.98
_UNMEASURED = 50
"""The length if there are no examples to measure recall."""
_FEWEST_EXAMPLES = 30
_MOST_EXAMPLES = 1_000
_PRICED = 50
"""Number of documents for which the tokens of lists are counted."""
_ROWS = 1_000
_ANSWER_TOKENS = 12


@dataclass(frozen=True, slots=True)
class LabelOption:
    """One way to list labels."""

    candidates: int | None
    """Labels on a document's list; None for all labels, in the prefix; `LABELS_BY_LEVEL` for a descent."""
    cost_nanousd: int | None
    """Cost of the prefix and the lists of 1,000 rows; None if the price is not known."""
    recall: float | None
    """Share of examples whose label is on the list; None if it was not measured."""


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """The choice and its alternatives."""

    candidates: int | None
    options: tuple[LabelOption, ...]
    examples: int
    """Number of examples on which the recall was measured."""
    why: str
    """The decision in a sentence."""


def plan_labels(loaded: LoadedTask, choice: ModelChoice, *, offline: bool, price: Price | None) -> LabelPlan:
    """Choose how labels are listed.

    Args:
        loaded: the task.
        choice: the user's other choices.
        offline: whether the offline endpoint is used.
        price: of the model, if known.

    Raises:
        UsageError: the library that retrieves labels is not installed.
    """
    task, most = loaded.task, max(len(field.answers) for field in loaded.task.label_space.fields)
    examples, limit = _examples(task), exceeds_schema(task.label_space)
    recalls = dict(_recalls(task, examples, [size for size in SIZES if size < most]))

    def option(size: int | None, recall: float | None) -> LabelOption:
        asked = replace(choice, candidates=defaults.ALL_LABELS if size is None else size)
        plan = make_plan(loaded, asked, offline=offline, price=price)
        return LabelOption(size, _cost_nanousd(plan, price, examples), recall)

    full = option(None, 1.0) if limit is None else LabelOption(None, None, 1.0)
    lists = [option(size, recall) for size, recall in recalls.items()]
    descents = [option(defaults.LABELS_BY_LEVEL, None)] if can_descend(task) else []
    chosen = _only_lists(lists, has_levels=bool(descents)) if limit is not None else _cheaper(full, lists)
    of_all = f"cost {_money(full.cost_nanousd)}" if limit is None else f"are not possible ({limit})"
    why = f"all {most:,} labels in the prompt {of_all}{_about(lists, descents, chosen, len(examples))}"
    return LabelPlan(chosen, (full, *lists, *descents), len(examples), why)


def _only_lists(lists: Sequence[LabelOption], *, has_levels: bool) -> int | None:
    """The shortest list with enough recall; else levels, which can reach each label; else the longest list."""
    enough = [one for one in lists if (one.recall or 0) >= WANTED_RECALL]
    if enough:
        return enough[0].candidates
    if has_levels:
        return defaults.LABELS_BY_LEVEL
    return lists[-1].candidates if lists and lists[-1].recall is not None else _UNMEASURED


def _cheaper(full: LabelOption, lists: Sequence[LabelOption]) -> int | None:
    """The shortest list with enough recall, if it is cheaper than all labels in the prefix."""
    enough = next((one for one in lists if (one.recall or 0) >= WANTED_RECALL), None)
    if enough is None or enough.cost_nanousd is None or full.cost_nanousd is None:
        return None
    return enough.candidates if enough.cost_nanousd < full.cost_nanousd else None


def _about(lists: Sequence[LabelOption], descents: Sequence[LabelOption], chosen: int | None, examples: int) -> str:
    """Describe retrieved labels, a descent, and the decision."""
    by_level = "".join(f"; level by level they cost {_money(one.cost_nanousd)}" for one in descents)
    if not lists:
        return f"{by_level}: all are listed"
    enough = next((one for one in lists if (one.recall or 0) >= WANTED_RECALL), lists[-1])
    listed = next((one for one in lists if one.candidates == chosen), enough)
    found = "is not known without examples"
    if listed.recall is not None:
        found = f"{listed.recall:.1%} on {examples:,} examples that the search had not seen"
    decided = "all are listed" if chosen is None else f"{chosen} are retrieved"
    if chosen == defaults.LABELS_BY_LEVEL:
        decided = "they are listed level by level, so that each can be reached"
    cost = _money(listed.cost_nanousd)
    return f"; {listed.candidates} retrieved for each document cost {cost}, their recall {found}{by_level}: {decided}"


def _money(nanousd: int | None) -> str:
    return "an unknown sum" if nanousd is None else f"${nanousd / 1e9:,.3f} per 1,000 rows"


def _examples(task: Task) -> Sequence[Example]:
    """Examples to measure with, evenly from all; empty if there are too few for a measurement."""
    found = (*task.examples, *task.pool)
    if len(found) < _FEWEST_EXAMPLES:
        return ()
    return found[:: -(-len(found) // _MOST_EXAMPLES)]


def _recalls(task: Task, examples: Sequence[Example], sizes: Sequence[int]) -> Iterator[tuple[int, float | None]]:
    """The recall of each length of list, searching for each half of the examples with the other half known."""
    halves = examples[::2], examples[1::2]
    ranks = list[int]()
    for known, sought in (halves, halves[::-1]):
        if not sizes or not examples:
            break
        search = Candidates(task.model_copy(update={"examples": tuple(known), "pool": ()}), min(sizes))
        for example in sought:
            ranking = search.whole_ranking(example.text)
            ranks += search.ranks(ranking, task.label_space.cells_of(task.value_of(example)))
    for size in sizes:
        yield size, sum(rank < size for rank in ranks) / len(ranks) if ranks else None


def _cost_nanousd(plan: Plan, price: Price | None, examples: Sequence[Example]) -> int | None:
    """The cost of prefix and lists in 1,000 rows, after the first; for a descent, with its requests and cold lists."""
    if price is None:
        return None
    caching = plan.caching
    cached = 0 if caching is None else caching.cached_tokens(plan.prefix_tokens)
    texts = [example.text for example in examples[:_PRICED]] or [label.name for label in plan.task.label_space.labels]
    listed = [count_tokens(plan.before(text)) for text in texts[:_PRICED]]
    if plan.levels:
        return sum(_level_nanousd(plan, price, level, texts) for level in range(len(plan.levels)))
    tokens = plan.prefix_tokens + (sum(listed) // len(listed) if listed else 0)
    return _ROWS * price.cost_nanousd(Usage(tokens, cached_input_tokens=cached))


def _level_nanousd(plan: Plan, price: Price, level: int, texts: Sequence[str]) -> int:
    """The cost of a level of a descent in 1,000 rows; from the second on, with the document and the answer again."""
    caching, tokens = plan.caching, plan.prefix_tokens + plan.levels[level].tokens
    cached = 0 if caching is None else caching.cached_tokens(tokens)
    document = sum(map(count_tokens, texts)) // len(texts) if level else 0
    answer = _ANSWER_TOKENS if level else 0
    cold, warm = (
        price.cost_nanousd(Usage(tokens + document, cached_input_tokens=found, output_tokens=answer))
        for found in (0, cached)
    )
    return _ROWS * warm + round(plan.levels[level].opened_by(_ROWS) * (cold - warm))


def with_planned_labels(
    loaded: LoadedTask,
    choice: ModelChoice,
    *,
    offline: bool,
    price: Price | None,
    standing: ModelChoice | None,
) -> tuple[ModelChoice, LabelPlan | None]:
    """The choice with an open question about labels decided, and the decision; None if nothing was open.

    It is open if the user says `auto`, or sets nothing and there are more labels than a strict schema accepts. An
    existing run keeps the decision made when it began.

    Raises:
        UsageError: labels must be retrieved, but the library for it is not installed.
    """
    wish = loaded.task.model.candidates if choice.candidates is None else choice.candidates
    is_strict = profile_of(asked_model(loaded.task, choice)).output is OutputMode.JSON_SCHEMA
    if wish != defaults.PLANNED_LABELS and (
        wish is not None or not is_strict or exceeds_schema(loaded.task.label_space) is None
    ):
        return choice, None
    if standing is not None:
        return replace(choice, candidates=standing.candidates), None
    try:
        planned = plan_labels(loaded, choice, offline=offline, price=price)
    except UsageError as error:
        raise UsageError(error.message, hint=f"{error.hint}; --candidates all lists every label") from None
    return replace(choice, candidates=planned.candidates or defaults.ALL_LABELS), planned
