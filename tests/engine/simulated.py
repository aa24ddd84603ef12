"""A run in simulated time: the real engine, SDK and endpoint, with HTTP on one loop whose clock jumps when idle."""

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol

from llmbatch.core import defaults
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.prices import PriceBook
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Place, Row
from llmbatch.engine.assembly import EngineDeps, assemble
from llmbatch.engine.budget.budget import Budget, RunLimit
from llmbatch.engine.budget.surplus import Surplus
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.engine import Engine, EngineSettings
from llmbatch.engine.experiments.watch import ExperimentPlan, begin_experiments
from llmbatch.engine.failure_rate_guard import FailureRateGuard, GuardSettings
from llmbatch.engine.intake import Document
from llmbatch.engine.packing.plans import Packing
from llmbatch.engine.plan import ModelChoice, make_plan
from llmbatch.engine.sending import Sending
from llmbatch.engine.tally import SessionTally
from llmbatch.observe.events import Event
from llmbatch.observe.summary import ExperimentReport
from llmbatch.provider.client import Endpoint
from llmbatch.provider.retry import RetryPolicy
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.simulate import Simulator, SimulatorSettings, parse_fault
from llmbatch.spend.leases import DailyLimit
from llmbatch.task.load import load_task

PLAN = make_plan(load_task(None), ModelChoice(), offline=False)


class _ImpatientSelector(selectors.DefaultSelector):
    """Never blocks: advances simulated time instead of waiting."""

    def __init__(self, pass_time: Callable[[float], None]) -> None:
        super().__init__()
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            return super().select(None)
        if not ready and timeout:
            self._pass_time(timeout)
        return ready


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """A loop for single-threaded work whose clock stands still while there is anything to do."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_ImpatientSelector(self._pass))

    def time(self) -> float:
        return self._now

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """Runs at once in this thread: the duration of another one is unknown in simulated time."""
        future = self.create_future()
        future.set_result(func(*args))
        return future

    def _pass(self, seconds: float) -> None:
        self._now += seconds


@dataclass
class Outcome:
    """The results of a run."""

    reason: Exception | None
    lines: list[LedgerLine]
    by_second: dict[int, int]
    """Requests by the second in which they reached the endpoint."""
    statuses: dict[int, int]
    prompt_tokens: int
    completion_tokens: int
    ended_s: float
    events: list[Event]
    experiments: ExperimentReport

    @property
    def outcomes(self) -> set[str]:
        return {line.status for line in self.lines}

    def requests_between(self, from_s: int, until_s: int) -> int:
        return sum(count for second, count in self.by_second.items() if from_s <= second < until_s)


def documents(count: int) -> list[str]:
    """Distinct texts."""
    return [f"The server crashed with a stack trace in case {n}." for n in range(count)]


def run_simulated(
    folder: Path,
    texts: list[str],
    *faults: str,
    max_wait_s: float = 600.0,
    beside: ExperimentPlan = ExperimentPlan(),
    packing: Packing | None = None,
    reasks: int = defaults.REASKS,
    **settings: Any,
) -> Outcome:
    """Run rows with these texts against an endpoint with these faults and settings, in almost no real time."""
    simulator_settings = SimulatorSettings(faults=tuple(map(parse_fault, faults)), **settings)
    sending = Sending(policy=RetryPolicy(max_wait_s=max_wait_s, reasks=reasks), packing=packing)
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(
            _run(folder, texts, lambda clock: Simulator(simulator_settings, clock=clock), sending, beside)
        )


class Serving(Protocol):
    """An endpoint on the run's own loop."""

    @property
    def stats(self) -> Any:
        """Statistics of its requests."""

    async def start(self) -> str:
        """Listen; returns the base URL."""

    async def stop(self) -> None:
        """Stop listening."""


def run_beside(
    folder: Path,
    texts: list[str],
    serving: Callable[[Callable[[], float]], Serving],
    *,
    max_wait_s: float = 600.0,
    concurrency: int | None = None,
) -> Outcome:
    """Like `run_simulated`, against an endpoint that is created with the loop's clock."""
    sending = Sending(policy=RetryPolicy(max_wait_s=max_wait_s), concurrency=concurrency)
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(_run(folder, texts, serving, sending, ExperimentPlan()))


async def _run(
    folder: Path,
    texts: list[str],
    serving: Callable[[Callable[[], float]], Serving],
    sending: Sending,
    beside: ExperimentPlan,
) -> Outcome:
    clock, events, lines = asyncio.get_running_loop().time, list[Event](), list[LedgerLine]()
    simulator = serving(clock)
    endpoint = Endpoint(await simulator.start(), "none", on_loopback=True)
    ledger, _ = Ledger.open(folder / "ledger.jsonl", on_line=lambda *_: None)
    sent = SentLog(folder / "sent.log")
    sent.begin(0, "now")
    cancellation = Cancellation()
    experiments = begin_experiments(
        beside, prompt=PLAN.prompt, model=PLAN.question.model, review=ReviewRule(0.5), emit=events.append
    )
    parts = assemble(
        PLAN,
        endpoint,
        sending,
        EngineDeps(
            outcomes=ledger,
            sends=sent,
            cancellation=cancellation,
            prices=PriceBook(None),
            surplus=Surplus(),
            budget=Budget(RunLimit(None, 0), DailyLimit(None, None, sleep=cancellation.sleep)),
            emit=events.append,
            random=Random(7),
            clock=clock,
        ),
        calibrations=(),
        experiments=experiments,
        beside=beside,
    )
    engine = Engine(
        arms=parts.arms,
        outcomes=ledger,
        cancellation=cancellation,
        tally=SessionTally(ReviewRule(0.5)),
        guard=FailureRateGuard(GuardSettings()),
        on_row=experiments.watch,
        settings=EngineSettings(parts.most_in_flight),
    )
    await engine.run(_rows(texts))
    ended_s, stats = clock(), simulator.stats
    for caller in parts.callers:
        await caller.close()
    await simulator.stop()
    sent.close(settled=True)
    ledger.close()
    Ledger.open(folder / "ledger.jsonl", on_line=lambda _, line: lines.append(line))[0].close()
    return Outcome(
        cancellation.reason,
        lines,
        dict(stats.by_second),
        dict(stats.statuses),
        stats.prompt_tokens,
        stats.completion_tokens,
        ended_s,
        events,
        experiments.report(),
    )


async def _rows(texts: list[str]) -> AsyncIterator[Document]:
    rows = [Row(number, number, text, Place("texts", number + 1), {}) for number, text in enumerate(texts)]
    for row in rows:
        yield Document(row, PLAN.key(row.text))
