"""A session's metrics. Counts are read when they are collected; only two histograms are recorded row by row."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.money import to_usd
from llmbatch.observe.observer import RunStarted
from llmbatch.telemetry import conventions as names
from llmbatch.telemetry.figures import Figures

# Bucket boundaries recommended by the conventions for generative AI.
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)

Read = Callable[[CallbackOptions], Iterable[Observation]]
Attributes = dict[str, str | int | float]


class RunMetrics:
    """Measures one session."""

    def __init__(self, meter: Meter, run: RunStarted, figures: Figures) -> None:
        self._figures = figures
        self._shared = names.request_attributes(run)
        self._own: Attributes = {names.REQUEST_MODEL: run.model, names.TASK: run.task}
        self._exit_code: int | None = None
        self._duration = meter.create_histogram(
            names.DURATION, "s", "GenAI operation duration.", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._tokens = meter.create_histogram(
            names.TOKEN_USAGE,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        for name, unit, description, read in self._counters():
            meter.create_observable_counter(name, [read], unit, description)
        for name, unit, description, read in self._gauges():
            meter.create_observable_gauge(name, [read], unit, description)

    def row(self, line: LedgerLine) -> None:
        """Measure a row; the figures count it."""
        if line.source == "reused":
            return
        attributes: Attributes = {**self._shared}
        if line.response_model is not None:
            attributes[names.RESPONSE_MODEL] = line.response_model
        if line.input_tokens:
            self._tokens.record(line.input_tokens, {**attributes, names.TOKEN_TYPE: "input"})
            self._tokens.record(line.output_tokens, {**attributes, names.TOKEN_TYPE: "output"})
        if line.error is not None:
            attributes[names.ERROR_TYPE] = line.error.kind
        if line.batch is None:  # a batch waits for hours
            self._duration.record(line.latency_s, attributes)

    def end(self, exit_code: int) -> None:
        """Record the end of the session."""
        self._exit_code = exit_code

    def _counters(self) -> Iterator[tuple[str, str, str, Read]]:
        """(name, unit, description, callback) of metrics that only grow."""
        figures, one, by = self._figures, self._one, self._by
        yield "llmbatch.rows", "{row}", "Rows with an outcome, by status and kind of failure.", self._rows
        yield "llmbatch.requests", "{request}", "Requests sent.", one(lambda: figures.usage.requests)
        yield "llmbatch.retries", "{retry}", "Repeated attempts, by reason.", by(names.ERROR_TYPE, figures.retries)
        yield "llmbatch.answers", "{answer}", "Answers, by how they could be read.", by(names.PARSE, figures.answers)
        cached = one(lambda: figures.usage.cached_input_tokens)
        yield "llmbatch.cached_input_tokens", "{token}", "Input tokens from the provider's cache.", cached
        yield "llmbatch.cost", "{USD}", "Cost of the answers.", one(lambda: figures.cost_usd)
        at_most = one(lambda: to_usd(figures.usage.possibly_billed_nanousd))
        yield "llmbatch.possibly_billed", "{USD}", "Most that may have been billed without an answer.", at_most

    def _gauges(self) -> Iterator[tuple[str, str, str, Read]]:
        """(name, unit, description, callback) of metrics that go up and down."""
        figures, one = self._figures, self._one
        yield "llmbatch.input.rows", "{row}", "Rows of the input.", one(lambda: figures.progress.total)
        yield "llmbatch.input.done", "{row}", "Rows with an outcome, all sessions.", one(lambda: figures.progress.done)
        yield "llmbatch.input.waiting", "{row}", "Rows waiting for a retry.", one(lambda: figures.progress.waiting)
        in_flight, limit = one(lambda: figures.progress.in_flight), one(lambda: figures.progress.limit)
        yield "llmbatch.requests.in_flight", "{request}", "Requests in flight.", in_flight
        yield "llmbatch.requests.limit", "{request}", "Requests that may be in flight.", limit
        yield (
            "llmbatch.held",
            "s",
            "How long all requests still wait, as the server asked.",
            one(lambda: figures.progress.held_s),
        )
        yield "llmbatch.outage", "s", "How long the endpoint has been down.", one(lambda: figures.progress.outage_s)
        yield "llmbatch.exit_code", "{code}", "The exit code, once the session is over.", one(lambda: self._exit_code)

    def _rows(self, _: CallbackOptions) -> Iterator[Observation]:
        for (status, kind), count in tuple(self._figures.rows.items()):
            failure = {names.ERROR_TYPE: kind} if kind else {}
            yield Observation(count, {**self._own, names.STATUS: status, **failure})

    def _one(self, read: Callable[[], float | None]) -> Read:
        """Observes a single figure; None is not observed."""

        def observe(_: CallbackOptions) -> list[Observation]:
            value = read()
            return [] if value is None else [Observation(value, self._own)]

        return observe

    def _by(self, attribute: str, counts: Counter[str]) -> Read:
        """Observes a counter by its keys."""

        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(count, {**self._own, attribute: name}) for name, count in tuple(counts.items())]

        return observe
