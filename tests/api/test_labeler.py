"""Texts labelled one at a time from Python, without a run folder."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from llmbatch import Label, Labeler
from llmbatch.core.errors import BudgetReached, ExitCode, RunStopped, UsageError
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.observe.observer import Observer
from tests.api.calling import TEXTS
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import wait_until

OPEN_FILES = Path("/proc/self/fd")


def labels_of(texts: list[str], **options: Any) -> list[Label]:
    async def use() -> list[Label]:
        async with Labeler(**options) as labeler:
            return await asyncio.gather(*(labeler.label(text) for text in texts))

    return asyncio.run(use())


@pytest.fixture(autouse=True)
def no_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


def test_texts_are_labelled_concurrently(endpoint: StartEndpoint) -> None:
    server = endpoint("--latency", "0.02")
    labels = labels_of(TEXTS, base_url=server.url, concurrency=16)
    assert [label.id for label in labels] == list(range(len(TEXTS)))
    assert {(label.status, label.category) for label in labels} == {("ok", "technical")}
    assert server.requests == len(TEXTS)
    assert server.stats["most_in_flight"] > 4


def test_a_labeler_works_in_a_notebook_cell() -> None:
    async def cell() -> Label:
        async with Labeler(offline=True) as labeler:
            label = await labeler.label("The contract's liability clause.", id="mail-7")
            assert labeler.spent.requests == 1
        return label

    label = asyncio.run(cell())
    assert (label.id, label.status, label.category) == ("mail-7", "ok", "legal")


def test_a_failed_text_has_the_error_in_its_label(endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "content_policy@2")
    good, bad, too_long = labels_of(
        ["The server crashed.", "a forbidden word", "word " * 9_000], base_url=server.url, max_doc_tokens=500
    )
    assert (good.status, bad.status, too_long.status) == ("ok", "failed", "failed")
    assert bad.error is not None
    assert bad.error["kind"] == "filtered"
    assert too_long.error is not None
    assert (too_long.error["kind"], too_long.attempts) == ("too_long", 0)


def test_an_error_common_to_all_texts_is_raised_for_each(endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "auth@1+")

    async def use() -> list[Label | BaseException]:
        async with Labeler(base_url=server.url) as labeler:
            return await asyncio.gather(*(labeler.label(text) for text in TEXTS[:20]), return_exceptions=True)

    outcomes = asyncio.run(use())
    assert {type(outcome) for outcome in outcomes} == {RunStopped}
    assert {outcome.exit_code for outcome in outcomes if isinstance(outcome, RunStopped)} == {ExitCode.GUARD}
    assert server.requests == 1


def test_a_spending_limit_holds(endpoint: StartEndpoint) -> None:
    server = endpoint("--latency", "0.01")

    async def use() -> tuple[list[Label | BaseException], int]:
        async with Labeler(base_url=server.url, max_cost=0.001, price="10,1,40") as labeler:
            outcomes = await asyncio.gather(*(labeler.label(text) for text in TEXTS * 4), return_exceptions=True)
            return outcomes, labeler.spent.cost_nanousd or 0

    outcomes, cost_nanousd = asyncio.run(use())
    assert {type(outcome) for outcome in outcomes} <= {Label, BudgetReached}
    assert any(isinstance(outcome, BudgetReached) for outcome in outcomes)
    assert cost_nanousd <= 1_000_000


def test_a_spending_limit_without_a_price_is_refused(endpoint: StartEndpoint) -> None:
    with pytest.raises(UsageError, match="price of mine is unknown"):
        labels_of(["A text."], base_url=endpoint().url, model="mine", max_cost=1)


def test_retries_work_as_in_a_run(endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "server_error@1-3")
    (label,) = labels_of(["The server crashed."], base_url=server.url, retry_wait_min=0.01, retry_wait_max=0.02)
    assert (label.status, label.attempts) == ("ok", 4)


def test_a_cancelled_label_leaves_the_others_alone(endpoint: StartEndpoint) -> None:
    server = endpoint("--latency", "0.3")

    async def use() -> list[Any]:
        async with Labeler(base_url=server.url, concurrency=8) as labeler:
            first = await labeler.label(TEXTS[0])
            tasks = [asyncio.create_task(labeler.label(text)) for text in TEXTS[1:4]]
            await asyncio.sleep(0)
            tasks[0].cancel()
            return [first, *await asyncio.gather(*tasks, return_exceptions=True)]

    first, cancelled, *others = asyncio.run(use())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert {label.status for label in (first, *others)} == {"ok"}


def test_an_observer_is_called_for_each_label(endpoint: StartEndpoint) -> None:
    class Watching(Observer):
        def __init__(self) -> None:
            self.rows: list[LedgerLine] = []

        def row(self, line: LedgerLine) -> None:
            self.rows.append(line)

    watching = Watching()
    labels_of(TEXTS[:5], base_url=endpoint().url, observer=watching)
    assert sorted(line.id for line in watching.rows) == [0, 1, 2, 3, 4]


def test_a_labeler_works_only_while_it_is_open(endpoint: StartEndpoint) -> None:
    async def use() -> None:
        labeler = Labeler(base_url=endpoint().url)
        with pytest.raises(UsageError, match="not open"):
            await labeler.label("A text.")
        async with labeler:
            for nothing in ("", " \n", None, 7):
                with pytest.raises(UsageError, match="nothing to label"):
                    await labeler.label(nothing)
        with pytest.raises(Exception, match="closed"):
            await labeler.label("A text.")

    asyncio.run(use())


@pytest.mark.parametrize("given", [{"out": "x"}, {"daily_budget": 5}, {"canary_model": "m"}, {"sample": "5%"}])
def test_options_that_need_a_run_folder_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(given))):
        Labeler(**given)


def test_many_labelers_leave_nothing_behind(endpoint: StartEndpoint) -> None:
    server = endpoint()
    labels_of(TEXTS[:2], base_url=server.url)
    files, threads = len(list(OPEN_FILES.iterdir())), threading.active_count()
    for _ in range(5):
        labels_of(TEXTS[:2], base_url=server.url)
    wait_until(lambda: len(list(OPEN_FILES.iterdir())) <= files)  # the endpoint closes connections late
    assert threading.active_count() <= threads
