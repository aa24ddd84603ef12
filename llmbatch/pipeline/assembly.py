"""Puts a session's moving parts together, from the caller up to the engine: the one place that knows them all."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from llmbatch.caller.client import Caller, Endpoint
from llmbatch.events import Event
from llmbatch.ledger.line import LedgerLine
from llmbatch.ledger.log import Ledger
from llmbatch.ledger.sent import SentLog
from llmbatch.pipeline.adaptation import Adaptation
from llmbatch.pipeline.asker import Asker
from llmbatch.pipeline.bill import Biller
from llmbatch.pipeline.budget import Budget
from llmbatch.pipeline.concurrency import Concurrency
from llmbatch.pipeline.consequences import Consequences
from llmbatch.pipeline.engine import Engine, EngineSettings
from llmbatch.pipeline.guard import Guard
from llmbatch.pipeline.options import Sending
from llmbatch.pipeline.outage import Outage
from llmbatch.pipeline.pace import Pace
from llmbatch.pipeline.plan import Plan
from llmbatch.pipeline.rates import Rates
from llmbatch.pipeline.retry_budget import RetryBudget
from llmbatch.pipeline.scoring import Scorer
from llmbatch.pipeline.sender import Sender
from llmbatch.pipeline.stop import Stop
from llmbatch.pipeline.tally import SessionTally
from llmbatch.prices import PriceBook
from llmbatch.redact import Redactor


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a session brings along: its files, its brake, its money, who is told, and the time."""

    ledger: Ledger
    sent: SentLog
    tally: SessionTally
    stop: Stop
    prices: PriceBook
    budget: Budget
    tell: Callable[[Event], None]
    on_row: Callable[[LedgerLine], None]
    random: Random
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts that a session needs to hold: it runs the engine, shows the others, closes the caller."""

    engine: Engine
    asker: Asker
    pace: Pace
    caller: Caller


def assemble(
    plan: Plan,
    endpoint: Endpoint,
    sending: Sending,
    around: Surroundings,
    *,
    scorer: Scorer,
    review_below: float,
    strict: bool,
) -> Assembly:
    """The engine of one session, ready to run.

    Args:
        plan: what is asked.
        endpoint: of whom.
        sending: how.
        around: the session's own parts.
        scorer: gives answers their confidence.
        review_below: confidence (0..1) under which a row goes to people.
        strict: end at the first row that cannot be read.
    """
    stop, random, clock = around.stop, around.random, around.clock
    concurrency = Concurrency(sending.concurrency)
    outage = Outage(stop, longest_s=sending.policy.max_wait_s, random=random, clock=clock, tell=around.tell)
    pace = Pace(concurrency, Rates(sending.limits), outage, stop, clock=clock)
    caller = Caller(
        endpoint,
        model=plan.question.model,
        timeout_s=sending.timeout_s,
        connections=concurrency.most,
        on_headers=pace.learn,
    )
    redact = Redactor((endpoint.api_key,))
    adaptation = Adaptation(plan.shape, redact=redact, tell=around.tell)
    retry_budget = RetryBudget(stop, clock=clock)
    sender = Sender(
        plan=plan,
        caller=caller,
        pace=pace,
        adaptation=adaptation,
        retry_budget=retry_budget,
        budget=around.budget,
        sent=around.sent,
        biller=Biller(plan, around.prices),
        stop=stop,
        clock=clock,
    )
    asker = Asker(
        plan=plan,
        scorer=scorer,
        sender=sender,
        consequences=Consequences(pace, adaptation, sending.policy, redact),
        retry_budget=retry_budget,
        stop=stop,
        policy=sending.policy,
        review_below=review_below,
        redact=redact,
        random=random,
    )
    engine = Engine(
        asker=asker,
        ledger=around.ledger,
        stop=stop,
        tally=around.tally,
        guard=Guard(sending.guard),
        on_row=around.on_row,
        settings=EngineSettings(concurrency.most, strict=strict, grace_s=sending.grace_s),
    )
    return Assembly(engine, asker, pace, caller)
