"""Puts the moving parts of asking together, from the caller up to the arms: the one place that knows them all."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from llmbatch.calibration import Calibration
from llmbatch.errors import LLMBatchError, RunStopped
from llmbatch.events import Event
from llmbatch.ledger.line import LedgerLine
from llmbatch.pipeline.adaptation import Adaptation
from llmbatch.pipeline.arms import Arms, OnTrial
from llmbatch.pipeline.asker import Asker
from llmbatch.pipeline.consequences import Consequences
from llmbatch.pipeline.money.bill import Biller
from llmbatch.pipeline.money.budget import Budget
from llmbatch.pipeline.money.surplus import Surplus
from llmbatch.pipeline.outcome import OutcomeReader
from llmbatch.pipeline.pacing.concurrency import Concurrency
from llmbatch.pipeline.pacing.outage import Outage
from llmbatch.pipeline.pacing.pace import Pace
from llmbatch.pipeline.pacing.rates import Rates
from llmbatch.pipeline.pacing.retry_budget import RetryBudget
from llmbatch.pipeline.plan import Plan
from llmbatch.pipeline.sender import Sender
from llmbatch.pipeline.sending import Sending
from llmbatch.pipeline.sinks import Outcomes, Sends
from llmbatch.pipeline.stop import Stop
from llmbatch.pipeline.trial.canary import Canary
from llmbatch.pipeline.trial.watch import Trial, TrialPlan
from llmbatch.prices import PriceBook
from llmbatch.provider.client import Caller, Endpoint
from llmbatch.provider.shape import RequestShape
from llmbatch.redact import Redactor

_NOTHING = TrialPlan()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What whoever asks brings along: what is kept and where, a brake, the money, who is told, and the time."""

    outcomes: Outcomes
    sends: Sends
    stop: Stop
    prices: PriceBook
    surplus: Surplus
    budget: Budget
    tell: Callable[[Event], None]
    random: Random
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts that whoever asks needs to hold: it asks the arms, shows the others, closes the callers."""

    arms: Arms
    control: Asker
    requests: Adaptation
    """How the plan's own requests are sent."""
    paces: tuple[Pace, ...]
    callers: tuple[Caller, ...]
    most_in_flight: int
    """Requests of the plan that may ever be under way at once."""


def assemble(
    plan: Plan,
    endpoint: Endpoint,
    sending: Sending,
    around: Surroundings,
    *,
    calibrations: tuple[Calibration, ...],
    review_below: float,
    trial: Trial | None = None,
    beside: TrialPlan = _NOTHING,
    shape: RequestShape | None = None,
) -> Assembly:
    """All that is needed to ask about rows.

    Args:
        plan: what is asked.
        endpoint: of whom.
        sending: how.
        around: what the caller brings along.
        calibrations: of the answers' confidence, by prompt and model.
        review_below: confidence (0..1) under which a row goes to people.
        trial: watches over what is on trial; None where nothing is.
        beside: what is asked beside the plan.
        shape: how an earlier session sent the plan's requests in the end.
    """
    lines = _Lines(endpoint, sending, around)
    builder = _ArmBuilder(lines, endpoint, sending, around, calibrations, review_below)
    stop, canary = around.stop, None if trial is None else trial.canary
    requests = builder.adaptation(plan, shape)
    control = builder.asker(plan, requests, halt=stop.set)
    on_trial = None
    if canary is not None and beside.canary is not None:
        form, halt = builder.adaptation(beside.canary), _dropping(canary, stop)
        asker = builder.asker(beside.canary, form, halt=halt, is_withdrawn=canary.is_dropped)
        on_trial = OnTrial(canary, asker, beside.canary.key_of)
    escalation = None
    if beside.escalation is not None:
        escalation = builder.asker(beside.escalation, builder.adaptation(beside.escalation), halt=stop.set)
    escalates = _never if trial is None else trial.escalates
    arms = Arms(around.outcomes, control, on_trial=on_trial, escalation=escalation, escalates=escalates)
    return Assembly(arms, control, requests, lines.paces, lines.callers, lines.of(plan).most_in_flight)


def _never(_: LedgerLine) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class _Line:
    """The way to one model: its limits are its own, so its pace is."""

    pace: Pace
    caller: Caller
    retry_budget: RetryBudget
    most_in_flight: int


class _Lines:
    """One for each model: arms that ask the same model share its limits."""

    def __init__(self, endpoint: Endpoint, sending: Sending, around: Surroundings) -> None:
        self._endpoint = endpoint
        self._sending = sending
        self._around = around
        self._open: dict[str, _Line] = {}

    @property
    def paces(self) -> tuple[Pace, ...]:
        return tuple(line.pace for line in self._open.values())

    @property
    def callers(self) -> tuple[Caller, ...]:
        return tuple(line.caller for line in self._open.values())

    def of(self, plan: Plan) -> _Line:
        model = plan.question.model
        if model not in self._open:
            self._open[model] = self._opened(model, plan.shape.service_tier)
        return self._open[model]

    def _opened(self, model: str, tier: str | None) -> _Line:
        sending, around = self._sending, self._around
        stop, clock = around.stop, around.clock
        concurrency = Concurrency(sending.concurrency, timeout_s=sending.request_timeout_s(tier))
        longest_s = sending.policy.max_wait_s
        outage = Outage(stop, longest_s=longest_s, random=around.random, clock=clock, tell=around.tell)
        pace = Pace(concurrency, Rates(sending.limits), outage, stop, clock=clock, tell=around.tell)
        caller = Caller(
            self._endpoint,
            model=model,
            timeout_s=sending.request_timeout_s(tier),
            connections=concurrency.most,
            on_headers=pace.learn,
        )
        return _Line(pace, caller, RetryBudget(stop, clock=clock), concurrency.most)


@dataclass(frozen=True, slots=True)
class _ArmBuilder:
    lines: _Lines
    endpoint: Endpoint
    sending: Sending
    around: Surroundings
    calibrations: tuple[Calibration, ...]
    review_below: float

    def adaptation(self, plan: Plan, shape: RequestShape | None = None) -> Adaptation:
        redact = Redactor((self.endpoint.api_key,))
        return Adaptation(shape or plan.shape, redact=redact, tell=self.around.tell)

    def asker(
        self,
        plan: Plan,
        adaptation: Adaptation,
        *,
        halt: Callable[[LLMBatchError], None],
        is_withdrawn: Callable[[], bool] = lambda: False,
    ) -> Asker:
        line, around, policy = self.lines.of(plan), self.around, self.sending.policy
        redact = Redactor((self.endpoint.api_key,))
        sender = Sender(
            plan=plan,
            caller=line.caller,
            pace=line.pace,
            adaptation=adaptation,
            retry_budget=line.retry_budget,
            budget=around.budget,
            sends=around.sends,
            biller=Biller(plan, around.prices, around.surplus),
            stop=around.stop,
            clock=around.clock,
            is_withdrawn=is_withdrawn,
            timeout_s=self.sending.request_timeout_s,
        )
        return Asker(
            reader=OutcomeReader(plan, self.calibrations, review_below=self.review_below, redact=redact),
            sender=sender,
            consequences=Consequences(line.pace, adaptation, policy, redact, plan, tell=around.tell),
            retry_budget=line.retry_budget,
            stop=around.stop,
            halt=halt,
            policy=policy,
            random=around.random,
        )


def _dropping(canary: Canary, stop: Stop) -> Callable[[LLMBatchError], None]:
    """What only the canary's model or prompt meets ends the canary; what all would meet ends the run."""

    def halt(reason: LLMBatchError) -> None:
        if type(reason) is RunStopped and reason.concerns_model:
            canary.drop(reason.message)
        else:
            stop.set(reason)

    return halt
