"""Assembles the parts that send requests, from the provider's client to the arms: the one place that knows them all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from llmbatch.core.errors import LLMBatchError, RunStopped
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.prices import PriceBook
from llmbatch.core.redact import Redactor
from llmbatch.engine.attempt import AttemptSender
from llmbatch.engine.budget.bill import Biller
from llmbatch.engine.budget.budget import Budget
from llmbatch.engine.budget.surplus import Surplus
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.cascade import CanaryArm, Cascade, Worker
from llmbatch.engine.embedding import Embedder, embedding_plan
from llmbatch.engine.experiments.canary import Canary
from llmbatch.engine.experiments.watch import ExperimentPlan, Experiments
from llmbatch.engine.failure_policy import FailurePolicy
from llmbatch.engine.outcome import OutcomeReader
from llmbatch.engine.packing.plans import Packing
from llmbatch.engine.packing.reader import PackReader
from llmbatch.engine.packing.size import PackSize
from llmbatch.engine.packing.worker import PackWorker, of_packs
from llmbatch.engine.plan import Plan
from llmbatch.engine.request_fallbacks import RequestFallbacks
from llmbatch.engine.request_loop import RequestLoop
from llmbatch.engine.row_worker import RowWorker
from llmbatch.engine.scoring import Recalibration
from llmbatch.engine.second_opinion import JuryPanel, SecondOpinion, StrongerModel
from llmbatch.engine.sending import Sending
from llmbatch.engine.sinks import Outcomes, Sends
from llmbatch.engine.throttle.circuit_breaker import CircuitBreaker
from llmbatch.engine.throttle.concurrency import Concurrency
from llmbatch.engine.throttle.rates import Rates
from llmbatch.engine.throttle.retry_budget import RetryBudget
from llmbatch.engine.throttle.shared_rate import RateShare, SharedRate, limit_name
from llmbatch.engine.throttle.throttle import Throttle
from llmbatch.observe.events import Event, RateNotShared
from llmbatch.provider.client import Caller, Endpoint
from llmbatch.provider.dialect import Dialect
from llmbatch.provider.embeddings import EMBEDDINGS
from llmbatch.provider.retry import RetryPolicy
from llmbatch.provider.shape import RequestShape
from llmbatch.task.calibration import Calibration
from llmbatch.task.embedded_candidates import EmbeddedCandidates

_NOTHING = ExperimentPlan()


@dataclass(frozen=True, slots=True)
class EngineDeps:
    """What the caller provides: sinks, the cancellation, the budget, observers, and the clock."""

    outcomes: Outcomes
    sends: Sends
    cancellation: Cancellation
    prices: PriceBook
    surplus: Surplus
    budget: Budget
    emit: Callable[[Event], None]
    random: Random
    clock: Callable[[], float]
    rate_share: RateShare | None = None
    """How limits are shared with other processes; None if they are not."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts that the caller needs: it runs the arms, displays the others, and closes the clients."""

    arms: Cascade
    control: Worker
    requests: RequestFallbacks
    """Request shapes of the plan's own requests."""
    paces: tuple[Throttle, ...]
    callers: tuple[Caller, ...]
    most_in_flight: int
    """Maximum number of the plan's rows in flight."""


def assemble(
    plan: Plan,
    endpoint: Endpoint,
    sending: Sending,
    deps: EngineDeps,
    *,
    calibrations: tuple[Calibration, ...],
    experiments: Experiments | None = None,
    beside: ExperimentPlan = _NOTHING,
    shape: RequestShape | None = None,
) -> Assembly:
    """Assemble everything needed to process rows.

    Args:
        plan: the plan.
        endpoint: the endpoint.
        sending: how requests are sent.
        deps: what the caller provides.
        calibrations: calibrations of confidence, by prompt and model.
        experiments: watches experiments; None if there are none.
        beside: the arms besides the plan.
        shape: the request shape that an earlier session ended with.
    """
    lines = _ModelLanes(endpoint, sending, deps)
    builder = _ArmBuilder(lines, endpoint, sending, deps, calibrations)
    cancellation, canary = deps.cancellation, None if experiments is None else experiments.canary
    requests = builder.fallbacks(plan, shape)
    control = builder.row_worker(plan, requests, halt=cancellation.set).packed(sending.packing)
    canary_arm = None
    if canary is not None and beside.canary is not None:
        form, halt = builder.fallbacks(beside.canary), _dropping(canary, cancellation)
        row_worker = builder.row_worker(beside.canary, form, halt=halt, is_withdrawn=canary.is_dropped)
        canary_arm = CanaryArm(canary, row_worker.packed(sending.packing), beside.canary.key_of)
    arms = Cascade(
        deps.outcomes,
        control,
        canary_arm=canary_arm,
        second_opinion=builder.second_opinion(plan, beside),
        is_doubtful=_never if experiments is None else experiments.takes,
    )
    most_rows = lines.of(plan).most_in_flight * sending.rows_per_request
    return Assembly(arms, control, requests, lines.paces, lines.callers, most_rows)


def _never(_: LedgerLine) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Line:
    """The lane of one model, with its own limits and throttle."""

    throttle: Throttle
    caller: Caller
    retry_budget: RetryBudget
    most_in_flight: int


class _ModelLanes:
    """One lane per model and dialect: arms with the same model share its limits."""

    def __init__(self, endpoint: Endpoint, sending: Sending, deps: EngineDeps) -> None:
        self._endpoint = endpoint
        self._sending = sending
        self._deps = deps
        self._open: dict[tuple[str, str], _Line] = {}

    @property
    def paces(self) -> tuple[Throttle, ...]:
        return tuple(line.throttle for line in self._open.values())

    @property
    def callers(self) -> tuple[Caller, ...]:
        return tuple(line.caller for line in self._open.values())

    def of(self, plan: Plan, dialect: Dialect | None = None) -> _Line:
        """The lane of a plan's model; `dialect` if its requests do not use the endpoint's own dialect."""
        endpoint = self._endpoint if dialect is None else replace(self._endpoint, dialect=dialect)
        model = plan.question.model
        key = (model, endpoint.dialect.name)
        if key not in self._open:
            self._open[key] = self._opened(model, plan.shape.service_tier, endpoint)
        return self._open[key]

    def _opened(self, model: str, tier: str | None, endpoint: Endpoint) -> _Line:
        sending, deps = self._sending, self._deps
        cancellation, clock = deps.cancellation, deps.clock
        concurrency = Concurrency(sending.concurrency, timeout_s=sending.request_timeout_s(tier))
        longest_s = sending.policy.max_wait_s
        circuit_breaker = CircuitBreaker(
            cancellation, longest_s=longest_s, random=deps.random, clock=clock, emit=deps.emit
        )
        throttle = Throttle(
            concurrency,
            Rates(sending.limits),
            circuit_breaker,
            cancellation,
            clock=clock,
            emit=deps.emit,
            dialect=endpoint.dialect,
            shared=self._shared_rate(model),
        )
        caller = Caller(
            endpoint,
            model=model,
            timeout_s=sending.request_timeout_s(tier),
            connections=concurrency.most,
            on_headers=throttle.learn,
        )
        return _Line(throttle, caller, RetryBudget(cancellation, clock=clock), concurrency.most)

    def _shared_rate(self, model: str) -> SharedRate | None:
        deps, endpoint = self._deps, self._endpoint
        if deps.rate_share is None:
            return None
        return SharedRate(
            deps.rate_share,
            limit_name(endpoint.base_url, endpoint.api_key, model),
            clock=deps.clock,
            on_failure=lambda error: deps.emit(RateNotShared(error.message)),
        )


@dataclass(frozen=True, slots=True)
class _ArmBuilder:
    lines: _ModelLanes
    endpoint: Endpoint
    sending: Sending
    deps: EngineDeps
    calibrations: tuple[Calibration, ...]

    def fallbacks(
        self, plan: Plan, shape: RequestShape | None = None, dialect: Dialect | None = None
    ) -> RequestFallbacks:
        redact = Redactor((self.endpoint.api_key,))
        return RequestFallbacks(
            shape or plan.shape, dialect or self.endpoint.dialect, redact=redact, emit=self.deps.emit
        )

    def second_opinion(self, plan: Plan, beside: ExperimentPlan) -> SecondOpinion | None:
        """The second opinion for a plan's low-confidence rows."""

        def of(other: Plan) -> RowWorker:
            return self.row_worker(other, self.fallbacks(other), halt=self.deps.cancellation.set).single()

        if beside.escalation is not None:
            return StrongerModel(of(beside.escalation))
        if not beside.jury:
            return None
        plans = {juror.question.model: juror for juror in beside.jury}
        row_workers = {model: of(juror) for model, juror in plans.items()}
        models = [juror.question.model for juror in beside.jury]
        return JuryPanel(
            models, row_workers, plan.task.label_space, Recalibration(self.calibrations, offline=plan.offline)
        )

    def row_worker(
        self,
        plan: Plan,
        fallbacks: RequestFallbacks,
        *,
        halt: Callable[[LLMBatchError], None],
        is_withdrawn: Callable[[], bool] = lambda: False,
        dialect: Dialect | None = None,
    ) -> "_RowWorkerParts":
        line, redact = self.lines.of(plan, dialect), Redactor((self.endpoint.api_key,))
        policy = FailurePolicy(line.throttle, fallbacks, self.sending.policy, redact, plan, emit=self.deps.emit)
        spoken, prices = dialect or self.endpoint.dialect, self.deps.prices
        return _RowWorkerParts(self, plan, spoken, prices, fallbacks, line, redact, policy, halt, is_withdrawn)


@dataclass(frozen=True, slots=True)
class _RowWorkerParts:
    """What an arm's workers have in common, whether for single rows or packs."""

    builder: _ArmBuilder
    plan: Plan
    dialect: Dialect
    prices: PriceBook
    fallbacks: RequestFallbacks
    line: _Line
    redact: Redactor
    failure_policy: FailurePolicy
    halt: Callable[[LLMBatchError], None]
    is_withdrawn: Callable[[], bool]

    def single(self) -> RowWorker:
        """A worker for single rows."""
        builder, plan = self.builder, self.plan
        return RowWorker(
            reader=OutcomeReader(plan, builder.calibrations, redact=self.redact, dialect=self.dialect),
            candidates=plan.candidates,
            embedder=self._own_embedder(),
            similar=plan.similar,
            sender=self._sender(plan),
            loop=self._loop(builder.sending.policy),
            failure_policy=self.failure_policy,
            cancellation=builder.deps.cancellation,
            halt=self.halt,
        )

    def packed(self, packing: Packing | None) -> Worker:
        """A worker for packs, if rows are to be packed."""
        builder, single = self.builder, self.single()
        if packing is None:
            return single
        return PackWorker(
            single,
            packing,
            plan=self.plan,
            reader=PackReader(self.plan, self.dialect),
            make_sender=self._sender,
            fallbacks=self.fallbacks,
            loop=self._loop(of_packs(builder.sending.policy)),
            failure_policy=self.failure_policy,
            cancellation=builder.deps.cancellation,
            halt=self.halt,
            redact=self.redact,
            size=PackSize(packing.rows, builder.deps.emit),
            most_at_once=self.line.most_in_flight,
        )

    def _own_embedder(self) -> Embedder | None:
        """The embedder for the plan's labels; None if they are not retrieved by embeddings."""
        candidates, builder = self.plan.candidates, self.builder
        if not isinstance(candidates, EmbeddedCandidates):
            return None
        plan = embedding_plan(self.plan, candidates)
        fallbacks = builder.fallbacks(plan, dialect=EMBEDDINGS)
        parts = builder.row_worker(plan, fallbacks, halt=self.halt, is_withdrawn=self.is_withdrawn, dialect=EMBEDDINGS)
        return replace(parts, prices=parts.prices.of_embeddings).embedder(candidates)

    def embedder(self, candidates: EmbeddedCandidates) -> Embedder:
        """An embedder that sends its requests through these parts."""
        return Embedder(
            candidates,
            sender=self._sender(self.plan),
            loop=self._loop(self.builder.sending.policy),
            failure_policy=self.failure_policy,
        )

    def _loop(self, policy: RetryPolicy) -> RequestLoop:
        deps = self.builder.deps
        return RequestLoop(
            sends=deps.sends,
            failure_policy=self.failure_policy,
            retry_budget=self.line.retry_budget,
            cancellation=deps.cancellation,
            policy=policy,
            random=deps.random,
        )

    def _sender(self, plan: Plan) -> AttemptSender:
        builder, deps = self.builder, self.builder.deps
        return AttemptSender(
            plan=plan,
            dialect=self.dialect,
            caller=self.line.caller,
            throttle=self.line.throttle,
            fallbacks=self.fallbacks,
            retry_budget=self.line.retry_budget,
            budget=deps.budget,
            sends=deps.sends,
            biller=Biller(plan, self.prices, deps.surplus),
            cancellation=deps.cancellation,
            clock=deps.clock,
            is_withdrawn=self.is_withdrawn,
            timeout_s=builder.sending.request_timeout_s,
        )


def _dropping(canary: Canary, cancellation: Cancellation) -> Callable[[LLMBatchError], None]:
    """A stop handler: errors specific to the canary's model or prompt drop the canary, others stop the run."""

    def halt(reason: LLMBatchError) -> None:
        if type(reason) is RunStopped and reason.concerns_model:
            canary.drop(reason.message)
        else:
            cancellation.set(reason)

    return halt
