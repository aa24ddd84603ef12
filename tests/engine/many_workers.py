"""Many workers under one limit and one budget, in simulated time: what they achieve, and how loaded their stores are.

The throttle, the shared schedule, the leases and both books are the real ones, on a loop whose clock jumps when there
is nothing to do. An endpoint that enforces its limit by a bucket of one second answers in about a second. A store
answers one call at a time, each after as long as such a call was measured to take.
"""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from llmbatch.core.errors import BudgetReached
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.budget.budget import Budget, RunLimit
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.throttle.circuit_breaker import CircuitBreaker
from llmbatch.engine.throttle.concurrency import Concurrency
from llmbatch.engine.throttle.rates import Rates
from llmbatch.engine.throttle.shared_rate import SharedRate
from llmbatch.engine.throttle.throttle import Throttle
from llmbatch.provider.failures import Action, Failure
from llmbatch.provider.limits import RateLimits
from llmbatch.runs.rates.sqlite import SqliteRateShare
from llmbatch.session.spending import next_beat_s
from llmbatch.simulate.limits import TokenBucket
from llmbatch.spend.account import SpendAccount
from llmbatch.spend.book import REAL, SessionInfo, Settlement
from llmbatch.spend.leases import DailyLimit
from llmbatch.spend.store import SpendStore
from tests.engine.simulated import SimulatedTimeLoop

DAY = datetime(2026, 11, 25, 12, tzinfo=UTC)
MOST, LEAST = 2_000_000, 400_000
"""The most and the least nano-dollars that a request costs."""
_NEARLY = 0.9
"""Of a budget."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Workers, their limit, their budget and their stores."""

    name: str
    workers: int = 64
    per_minute: int = 30_000
    own_limits: bool = False
    """Each worker has an endpoint of its own with that limit."""
    is_shared: bool = True
    """Whether they share a schedule for the limit."""
    budget_usd: float = 1e6
    rate_s: float = 0.0001
    """Seconds that a call of the rate store takes."""
    book_s: float = 0.005
    """Seconds that a change of the spend store takes."""
    seconds: float = 30.0
    at_once: int = 24
    """Rows at once in each worker."""
    killed: int = 0
    """Workers that are killed after a third of the time, and started again after two thirds."""


@dataclass(slots=True)
class Store:
    """Answers one call at a time."""

    busy_s: float = 0.0
    calls: int = 0
    waits_s: list[float] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def taking(self, seconds: float, reading: str = "") -> Callable[..., Coroutine[Any, Any, Any]]:
        """Returns a function that calls a method; the one named `reading` takes no time, since nothing is synced."""

        async def call(method: Callable[..., Any], *arguments: Any) -> Any:
            clock = asyncio.get_running_loop().time
            called_at, takes_s = clock(), 0.0 if method.__name__ == reading else seconds
            async with self.turn:
                await asyncio.sleep(takes_s)
                self.busy_s += takes_s
                self.calls += 1
                self.waits_s.append(clock() - called_at)
                return method(*arguments)

        return call

    @property
    def slow_s(self) -> float:
        """99th percentile of the calls' duration, waiting included."""
        return sorted(self.waits_s)[int(len(self.waits_s) * 0.99)] if self.waits_s else 0.0


@dataclass(slots=True)
class Endpoint:
    """Enforces a limit, bills, and knows the actual cost."""

    bucket: TokenBucket
    answered: int = 0
    refused: int = 0
    billed: int = 0
    by_second: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Folder:
    """What a worker leaves on disk."""

    session: str = ""
    spent: int = 0
    in_flight: int = 0


class World:
    """The state of a running scenario."""

    def __init__(self, scenario: Scenario, path: Path, clock: Callable[[], float]) -> None:
        self.scenario, self.path, self.clock = scenario, path, clock
        self.random, self.rates, self.books = Random(7), Store(), Store()
        self.book = SpendStore(path / "spend.sqlite3", is_synced=False)  # its time is simulated
        count = scenario.workers if scenario.own_limits else 1
        self.endpoints = [Endpoint(TokenBucket(scenario.per_minute, clock=clock)) for _ in range(count)]
        self.folders = [Folder() for _ in range(scenario.workers)]
        self.sessions = 0
        self.nearly_at = self.ended_at = 0.0
        """When most of the budget was spent, and when the last worker found it used up."""

    def settlement_of(self, session: str, run: str) -> Settlement | None:
        """What a killed worker cost, according to its folder."""
        folder = self.folders[int(run)]
        if folder.session != session:
            return None
        total = folder.spent + folder.in_flight
        return Settlement({f"{DAY:%Y-%m-%d}": UsageTotals(priced_nanousd=total)}, total)

    @property
    def billed(self) -> int:
        """Nano-dollars, by the endpoints' own account."""
        return sum(endpoint.billed for endpoint in self.endpoints)

    def check(self) -> None:
        """Everything billed is already charged, and the charges are within the budget."""
        charged = self.book.total(REAL, f"{DAY:%Y-%m-%d}").charged_nanousd
        assert self.billed <= charged <= round(self.scenario.budget_usd * 1e9), "the budget was exceeded"


class Worker:
    """One session that sends rows as fast as the throttle and the budget allow."""

    def __init__(self, world: World, number: int) -> None:
        scenario, clock = world.scenario, world.clock
        self.world, self.number = world, number
        self.endpoint = world.endpoints[number % len(world.endpoints)]
        world.sessions += 1
        self.folder = world.folders[number]
        session = f"{DAY:%Y-%m-%d}-{world.sessions}"
        info = SessionInfo(session, REAL, str(number), "m", "t", "p", leased=True, started_at=f"{DAY:%Y-%m-%d}")
        self.account = SpendAccount(world.book, info, world.settlement_of)
        self.account.begin()
        self.folder.session, self.folder.spent, self.folder.in_flight = session, 0, 0
        self.cancellation = Cancellation()
        shared = SharedRate(
            SqliteRateShare(world.path / "rates.sqlite3", clock), f"limit {number % len(world.endpoints)}",
            clock=clock, on_failure=_raised, off_loop=world.rates.taking(scenario.rate_s),
        )  # fmt: skip
        self.throttle = Throttle(
            Concurrency(),
            Rates(RateLimits(requests_per_s=scenario.per_minute / 60)),
            CircuitBreaker(
                self.cancellation, longest_s=600, random=world.random, clock=clock, emit=lambda _: None
            ),
            self.cancellation,
            clock=clock,
            emit=lambda _: None,
            shared=shared if scenario.is_shared else None,
        )  # fmt: skip
        self.day = DailyLimit(
            round(scenario.budget_usd * 1e9), self.account, sleep=self.cancellation.sleep,
            off_loop=world.books.taking(scenario.book_s, reading="total"), now=lambda: DAY, clock=clock,
        )  # fmt: skip
        self.budget = Budget(RunLimit(None, 0), self.day)

    async def live(self) -> None:
        """Run until the time is over, the budget is reached, or it is killed by cancellation."""
        beats = asyncio.create_task(self._beats())
        rows = [asyncio.create_task(self._rows()) for _ in range(self.world.scenario.at_once)]
        try:
            await asyncio.gather(*rows)
        finally:
            for task in (beats, *rows):
                task.cancel()
            await asyncio.gather(beats, *rows, return_exceptions=True)
        self.day.end({})

    async def _rows(self) -> None:
        with suppress(RunCancelledError):
            while not self.cancellation.is_set:
                await self._row()

    async def _row(self) -> None:
        world, endpoint, random = self.world, self.endpoint, self.world.random
        async with self.throttle.slot(1.0, asked_before=False):
            try:
                reservation = await self.budget.reserve(MOST)
            except BudgetReached as reached:
                world.ended_at = world.clock()
                self.cancellation.set(reached)
                return
            self.folder.in_flight += MOST
            second, latency_s = int(world.clock()), random.lognormvariate(0.0, 0.3)
            is_refused = endpoint.bucket.wait_s(1) > 0
            cost = 0 if is_refused else random.randrange(LEAST, MOST + 1)
            if is_refused:
                endpoint.refused += 1
            else:
                endpoint.bucket.take(1)
                endpoint.billed += cost
                endpoint.by_second[second] = endpoint.by_second.get(second, 0) + 1
                if not world.nearly_at and world.billed > _NEARLY * world.scenario.budget_usd * 1e9:
                    world.nearly_at = world.clock()
            await asyncio.sleep(0.05 if is_refused else latency_s)
            self.folder.in_flight -= MOST
            self.folder.spent += cost
            self.budget.settle(reservation, cost)
            if is_refused:
                self.throttle.failed(_REFUSED)
            else:
                endpoint.answered += 1
                self.throttle.answered(latency_s)

    async def _beats(self) -> None:
        took_s = 0.0
        while True:
            await asyncio.sleep(next_beat_s(took_s))
            began = self.world.clock()
            await self.day.beat({})
            took_s = self.world.clock() - began
            self.world.check()


_REFUSED = Failure("rate_limit", Action.THROTTLE, "too many requests", wait_s=0.1, slow_down=True)


def _raised(error: Exception) -> None:
    raise error


@dataclass(frozen=True, slots=True)
class Came:
    """The results of a scenario."""

    scenario: Scenario
    used: float
    """Of the limit, from the third second on."""
    refused: float
    """Of all requests."""
    rate_calls_per_s: float
    book_calls_per_s: float
    book_busy: float
    """Share of the time in which the spend store was busy."""
    book_slow_s: float
    billed_usd: float
    unused_usd: float
    """Of a budget that was reached: the unspent rest."""
    rest_s: float
    """How long the last tenth of the budget took."""
    rate_while_killed: float
    """Of the limit, while the killed workers were dead."""


def simulated(scenario: Scenario) -> Came:
    """Run one."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(_simulated(scenario, Path(folder)))


async def _simulated(scenario: Scenario, folder: Path) -> Came:
    world = World(scenario, folder, asyncio.get_running_loop().time)
    began = world.clock()
    living = {number: asyncio.create_task(Worker(world, number).live()) for number in range(scenario.workers)}
    if scenario.killed:
        await asyncio.sleep(scenario.seconds / 3)
        for number in range(scenario.killed):
            living[number].cancel()
        await asyncio.sleep(scenario.seconds / 3)
        for number in range(scenario.killed):
            living[number] = asyncio.create_task(Worker(world, number).live())
        await asyncio.sleep(scenario.seconds / 3)
    else:
        await asyncio.wait(living.values(), timeout=scenario.seconds)
    took_s = world.clock() - began
    world.check()
    for task in living.values():
        task.cancel()
    await asyncio.gather(*living.values(), return_exceptions=True)
    world.book.close()
    return _results(world, took_s)


def _results(world: World, took_s: float) -> Came:
    scenario, endpoints = world.scenario, world.endpoints
    billed, cap = world.billed, round(scenario.budget_usd * 1e9)
    refused, answered = (sum(getattr(each, name) for each in endpoints) for name in ("refused", "answered"))
    third = int(scenario.seconds / 3)
    return Came(
        scenario,
        used=_share(world, 3, int(world.nearly_at or took_s)),
        refused=refused / max(refused + answered, 1),
        rate_calls_per_s=world.rates.calls / took_s,
        book_calls_per_s=world.books.calls / took_s,
        book_busy=world.books.busy_s / took_s,
        book_slow_s=world.books.slow_s,
        billed_usd=billed / 1e9,
        unused_usd=(cap - billed) / 1e9 if world.ended_at else 0.0,
        rest_s=max(world.ended_at - world.nearly_at, 0.0),
        rate_while_killed=_share(world, third + 2, 2 * third) if scenario.killed else 0.0,
    )


def _share(world: World, since: int, until: int) -> float:
    """Of the limit, in these seconds."""
    sent = sum(
        count for endpoint in world.endpoints for second, count in endpoint.by_second.items() if since <= second < until
    )
    return sent / (max(until - since, 1) * world.scenario.per_minute / 60 * len(world.endpoints))
