"""Runs that share a day's cap: real budgets and a real store, with a fake endpoint that knows the actual cost.

Requests cost anything up to the reserved amount, time out or are refused; processes are killed at any step and resumed
or not; midnight passes. Everything that would be on disk (the store, a run's ledger and `sent.log`) survives a kill,
everything else is dropped.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from llmbatch.core.errors import BudgetReached
from llmbatch.core.usage import UsageTotals
from llmbatch.engine.budget.budget import Budget, RunLimit
from llmbatch.engine.cancellation import RunCancelledError
from llmbatch.spend.account import SpendAccount, settle_dead
from llmbatch.spend.book import SessionInfo, Settlement, SpendBook
from llmbatch.spend.leases import DailyLimit

MOST = 1_000  # nano-dollars that a request may cost


@dataclass
class Folder:
    """What a run leaves on disk."""

    name: str
    cap: int
    todo: int
    billed: int = 0
    session: str = ""
    sent: dict[int, int] = field(default_factory=dict)
    """By row, what its requests in this session may have cost, until it has a line."""
    lines: Counter[str] = field(default_factory=Counter)
    """By session, what its rows with a line cost and may have cost."""
    lost: int = 0
    """What requests in flight at a kill may have cost, as the resuming session found it."""

    def settlement_of(self, session: str) -> Settlement | None:
        if session != self.session:
            return None
        total = self.lines[session] + sum(self.sent.values())
        return Settlement({session[:10]: UsageTotals(priced_nanousd=total)}, total)


class World:
    """One sequence of events, drawn from a seed."""

    def __init__(self, store: SpendBook, charged: Callable[[str, str], int], seed: int) -> None:
        """`charged` reads from the store what a session is charged on a day."""
        self.charged = charged
        self.random = Random(seed)
        self.store = store
        self.book = f"book {seed}"
        self.cap = self.random.randrange(50, 120) * MOST
        self.start = datetime(2026, 11, 25, 12, tzinfo=UTC)
        self.steps = 0
        self.midnight = self.random.randrange(50, 400) if self.random.random() < 0.2 else None
        self.billed: Counter[str] = Counter()
        self.folders = [self._folder(n) for n in range(self.random.randrange(1, 4))]
        self.kills = self.random.randrange(0, 4)
        self.sessions = 0
        self.reached: list[str] = []
        self.alive: list[Process] = []
        self.expensive = self.random.random() < 0.3
        """Requests cost all that they may."""

    def _folder(self, number: int) -> Folder:
        cap = self.cap * 2 if self.random.random() < 0.5 else self.random.randrange(20, 60) * MOST
        return Folder(f"{self.book} run {number}", cap, todo=self.random.randrange(20, 150))

    def now(self) -> datetime:
        turned = self.midnight is not None and self.steps > self.midnight
        return self.start + timedelta(days=turned)

    async def off_loop(self, call: Callable[..., Any], *arguments: Any) -> Any:
        await self.step()
        done = call(*arguments)
        if self.steps % 7 == 0:
            self.check()
        await self.step()
        return done

    def check(self) -> None:
        """The store's charges cover everything that is spent and may still be."""
        for day in self.billed:
            assert self.store.total(self.book, day).charged_nanousd <= self.cap
        for process in self.alive:
            for day, own in process.day._periods.items():
                assert own.spent + own.reserved <= own.charged <= self.charged(process.id, day)

    async def step(self) -> None:
        self.steps += 1
        await asyncio.sleep(0)

    def bill(self, folder: Folder, day: str, nanousd: int) -> None:
        """The endpoint bills a request: the only place where money is spent."""
        self.billed[day] += nanousd
        folder.billed += nanousd
        assert self.billed[day] <= self.cap, "the day's cap was exceeded"
        assert folder.billed <= folder.cap, "the run's cap was exceeded"

    async def live(self) -> None:
        """Run everything at once, each run resumed until it is done, reaches a cap, or is left dead."""
        await asyncio.gather(*(self._sessions(folder) for folder in self.folders))
        for folder in self.folders:  # as the next session on it does
            settle_dead(self.store, self.settlement_of, ours=folder.name)

    async def _sessions(self, folder: Folder) -> None:
        while await Process(self, folder).run():
            if self.random.random() < 0.2:
                return  # never resumed

    def known(self) -> int:
        """What all runs have spent or may have spent."""
        return sum(folder.lines.total() + folder.lost + sum(folder.sent.values()) for folder in self.folders)

    def settlement_of(self, session: str, run: str) -> Settlement | None:
        return next((folder.settlement_of(session) for folder in self.folders if folder.name == run), None)


class Process:
    """A session of a run, with some requests in flight at once."""

    def __init__(self, world: World, folder: Folder) -> None:
        self.world, self.folder = world, folder
        world.sessions += 1
        info = SessionInfo(
            id=f"{world.now():%Y-%m-%d}-{world.book}-{world.sessions}",
            book=world.book,
            run=folder.name,
            model="m",
            task="t",
            prompt="p",
            leased=True,
            started_at=f"{world.now():%Y-%m-%dT%H:%M:%SZ}",
        )
        self.id = info.id
        self.account = SpendAccount(world.store, info, world.settlement_of)
        self.stopped = False

    async def run(self) -> bool:
        """Returns whether it was killed with work left."""
        world, folder = self.world, self.folder
        self.account.begin()
        folder.lost += sum(folder.sent.values())
        folder.todo += len(folder.sent)
        folder.sent.clear()
        folder.session = self.id
        self.day = DailyLimit(
            world.cap,
            self.account,
            sleep=self._sleep,
            off_loop=world.off_loop,
            now=world.now,
            clock=lambda: world.steps,
        )
        spent_before = folder.lines.total() + folder.lost
        assert spent_before <= folder.cap, "the run's known spending is within its cap, also after a kill"
        self.budget = Budget(RunLimit(folder.cap, spent_before), self.day)
        world.alive.append(self)
        tasks = [asyncio.create_task(self._worker()) for _ in range(world.random.randrange(1, 9))]
        beats = asyncio.create_task(self._beats())
        life = asyncio.gather(*tasks)
        if world.kills and world.random.random() < 0.6:
            world.kills -= 1
            for _ in range(world.random.randrange(200)):
                await world.step()
            return await self._killed(life, beats)
        await life
        beats.cancel()
        world.alive.remove(self)
        self.day.end({})
        return False

    async def _killed(self, life: "asyncio.Future[Any]", beats: "asyncio.Task[None]") -> bool:
        self.stopped = True
        self.world.alive.remove(self)
        beats.cancel()
        life.cancel()
        await asyncio.gather(life, beats, return_exceptions=True)
        assert self.account._lock is not None
        self.account._lock.release()  # as the kernel does
        return True

    async def _worker(self) -> None:
        while self.folder.todo and not self.stopped:
            self.folder.todo -= 1
            try:
                await self._row(self.folder.todo)
            except BudgetReached as reached:
                self.stopped = True
                self.world.reached.append(reached.message)
            except RunCancelledError:
                self.folder.todo += 1
                return

    async def _row(self, row: int) -> None:
        world, folder, random = self.world, self.folder, self.world.random
        so_far = 0
        for _ in range(4):
            most = random.randrange(MOST // 10, MOST + 1)
            reservation = await self.budget.reserve(most)
            if self.stopped:
                self.budget.settle(reservation, 0)
                raise RunCancelledError
            folder.sent[row] = so_far + most
            fate = random.choice(("answer", "answer", "answer", "timeout", "refused"))
            cost = 0 if fate == "refused" else most if world.expensive else random.randrange(most + 1)
            world.bill(folder, reservation.day, cost)
            for _ in range(random.randrange(4)):
                await world.step()
            spent = most if fate == "timeout" else cost  # the cost of a timeout is unknown
            so_far += spent
            folder.sent[row] = so_far
            self.budget.settle(reservation, spent)
            if fate == "answer":
                break
        folder.lines[self.id] += folder.sent.pop(row)

    async def _beats(self) -> None:
        while True:
            for _ in range(20):
                await self.world.step()
            await self.day.beat({})

    async def _sleep(self, seconds: float, *, or_until: asyncio.Event) -> None:  # noqa: ARG002
        if self.stopped:
            raise RunCancelledError
        await self.world.step()
