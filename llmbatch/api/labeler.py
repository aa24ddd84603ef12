"""`Labeler`: labels texts one at a time, as they arrive, and writes nothing to disk."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self, Unpack

from llmbatch.api.options import AskingOptions, PathLike, asking_options
from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.prices import PriceBook
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Place, Row, RowId
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.label_planning import with_planned_labels
from llmbatch.engine.labelling import Labelling
from llmbatch.engine.plan import asked_model, make_plan, review_threshold
from llmbatch.observe.observer import Observer, Observers
from llmbatch.runs.calibrations import confidence_for
from llmbatch.runs.model_choice import check_room, completed_choice, endpoint_for
from llmbatch.session.offline import served_endpoint
from llmbatch.task.label_space import LabelSpace
from llmbatch.task.label_thresholds import review_rule
from llmbatch.task.load import load_task


@dataclass(frozen=True, slots=True)
class Label:
    """The label of a text. `status` is `ok`, `review` or `failed`; a failed one has `error` and no category."""

    id: RowId
    status: str
    category: str | None
    """For a task with fields, all their values as one text."""
    labels: Mapping[str, Any]
    """The value of each of the task's fields; empty if it failed."""
    confidence: float | None
    reasoning: str | None
    error: Mapping[str, Any] | None
    """`kind`, `code` and `message`."""
    cost_usd: float | None
    """None if the model's price is not known."""
    input_tokens: int
    cached_input_tokens: int | None
    """None if the endpoint does not report them."""
    output_tokens: int
    attempts: int
    """Requests sent for it."""
    latency_s: float
    """From its first request to its outcome."""


class Labeler:
    """Labels texts, thousands at once, with the throttle, the retries, the guards and the spending limit of a run.

        async with Labeler("tickets.toml", max_cost=5) as labeler:
            labels = await asyncio.gather(*(labeler.label(text) for text in texts))

    It has no run folder: nothing is stored, resumed, or counted in `llmbatch spend`.
    """

    def __init__(
        self, task: PathLike | None = None, *, observer: Observer | None = None, **options: Unpack[AskingOptions]
    ) -> None:
        """Check the options; nothing is opened yet.

        Args:
            task: a task file, or the name of a packaged one; None for the default one.
            observer: called with events and each label.
            options: those of `llmbatch classify` for the task and for sending, by name; see `AskingOptions`.

        Raises:
            UsageError: an option cannot be used.
            TypeError: there is no such option.
        """
        self._options = asking_options("Labeler", task, options)
        self._observer = Observers([] if observer is None else [observer])
        self._numbers = count()
        self._opened = ExitStack()
        self._labelling: Labelling | None = None
        self._review = ReviewRule(0.0)

    async def __aenter__(self) -> Self:
        """Open it for the running event loop.

        Raises:
            UsageError: the task, the endpoint or the model cannot be used, or a spending limit cannot be enforced.
        """
        if self._labelling is not None:
            raise UsageError("the labeler is already open", hint="make one for each `async with`")
        self._labelling = await asyncio.to_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything. Labels that are still awaited raise."""
        try:
            await self._in_use().close()
        finally:
            await asyncio.to_thread(self._opened.close)

    @property
    def spent(self) -> UsageTotals:
        """Tokens and money so far."""
        return self._in_use().spent

    async def label(self, text: Any, *, id: RowId | None = None) -> Label:  # noqa: A002 - as the field is called
        """Label one text. A failure that concerns only this text is in the label, not raised.

        Args:
            text: the text.
            id: of the label; None uses the number of the call, from 0.

        Raises:
            UsageError: it is not a text or is blank, or the labeler is not open.
            RunStopped: nothing more is sent because of a guard, a limit, credentials or a quota.
        """
        labelling, number = self._in_use(), next(self._numbers)
        if not isinstance(text, str) or not text.strip():
            given = "blank" if isinstance(text, str) else f"of type {type(text).__name__}"
            raise UsageError(f"text {number} is {given}: there is nothing to label", hint="give a text")
        place = Place("<labeler>", number + 1)
        row = Row(number, number if id is None else id, text, place, {"text": text})
        return _label(await labelling.ask(row), labelling.plan.task.label_space, self._review)

    def _in_use(self) -> Labelling:
        if self._labelling is None:
            raise UsageError("the labeler is not open", hint="use it in `async with Labeler(...) as labeler:`")
        return self._labelling

    def _open(self) -> Labelling:
        options, sending = self._options, self._options.sending
        loaded = load_task(options.task)
        endpoint = endpoint_for(sending, asked_model(loaded.task, options.choice), options.choice.dialect)
        choice = completed_choice(loaded.task, options.choice, endpoint, None)
        prices = PriceBook(None if endpoint is None else endpoint.base_url, sending.price)
        price = prices.price(asked_model(loaded.task, choice))
        choice, _ = with_planned_labels(loaded, choice, offline=sending.offline, price=price, standing=None)
        plan = make_plan(loaded, choice, offline=sending.offline, price=price)
        check_room(plan)
        confidence = confidence_for(plan, options.task, options.calibration)
        below = review_threshold(plan.task, options.review_below)
        self._review = review_rule(below, confidence.thresholds, plan.task.label_space, offline=plan.offline)
        for remark in confidence.remarks:
            self._observer.event(remark)
        return Labelling(
            plan,
            self._opened.enter_context(served_endpoint(endpoint, sending)),
            sending,
            calibrations=confidence.calibrations,
            observer=self._observer,
        )


def _label(line: LedgerLine, space: LabelSpace, review: ReviewRule) -> Label:
    error = line.error
    return Label(
        id=line.id,
        status=review.status(line),
        category=line.category,
        labels={} if line.category is None else space.values(line.category),
        confidence=line.confidence,
        reasoning=line.reasoning,
        error=None if error is None else {"kind": error.kind, "code": error.code, "message": error.message},
        cost_usd=line.cost_usd,
        input_tokens=line.input_tokens,
        cached_input_tokens=None if line.cache_unreported_tokens else line.cached_input_tokens,
        output_tokens=line.output_tokens,
        attempts=line.attempts,
        latency_s=line.latency_s,
    )
