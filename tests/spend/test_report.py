"""Where an increase comes from: groups beside the previous period, and nothing left out."""

import io
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from llmbatch.analysis.spent import UNACCOUNTED, spend_report
from llmbatch.core.errors import UsageError
from llmbatch.core.usage import UsageTotals
from llmbatch.runs.spend_stores import SpendPlace
from llmbatch.spend.book import Balance, SessionInfo
from llmbatch.spend.report import Period, period
from llmbatch.spend.store import SpendStore
from llmbatch.terminal.spending import render_spending

NOVEMBER = Period(date(2026, 11, 11), date(2026, 11, 20))


def spent(store: SpendStore, day: str, model: str, run: str, figures: UsageTotals, *, ended: bool = True) -> None:
    info = SessionInfo(f"{day}-{model}", "real", run, model, "sort", "5eed", leased=False, started_at=day)
    lock = store.begin_session(info)
    charged = figures.priced_nanousd + (0 if ended else 2_000_000)
    store.record(
        info.id, {day: Balance(figures.priced_nanousd, charged)}, {day: figures}, ended_at=day if ended else None
    )
    lock.release()


@pytest.fixture
def path(store: SpendStore) -> Path:
    cheap = UsageTotals(
        rows=100, requests=100, input_tokens=100_000, cached_input_tokens=90_000, priced_nanousd=10_000_000_000
    )
    expensive = UsageTotals(
        rows=100, requests=104, input_tokens=100_000, cached_input_tokens=10_000, priced_nanousd=14_000_000_000
    )
    spent(store, "2026-11-05", "small", "/gone", cheap)
    spent(store, "2026-11-12", "small", "/gone", expensive)
    spent(
        store,
        "2026-11-13",
        "large",
        "/killed",
        UsageTotals(rows=1, priced_nanousd=1_000_000, unpriced_rows=1),
        ended=False,
    )
    spent(store, "2026-10-31", "old", "/gone", cheap)
    return store.path


def shown(path: Path, by: str) -> str:
    stream = io.StringIO()
    render_spending(
        spend_report(SpendPlace(path), by, NOVEMBER), Console(file=stream, width=130, markup=False, highlight=False)
    )
    return stream.getvalue()


def test_groups_are_compared_with_the_previous_period(path: Path) -> None:
    assert shown(path, "model").splitlines() == [
        "$14.00 from 2026-11-11 to 2026-11-20 (UTC), +40.0% against the 10 days before ($10.00)",
        "  101 rows (+1.0%), $138.62 per 1,000 rows (+38.6%), 10.0% of the input cached (90.0% before)",
        "",
        "  model  rows  requests  tokens in  cached  out      cost  per 1,000  before  change",
        "  small   100       104    100,000   10.0%    0    $14.00    $140.00  $10.00  +40.0%",
        "  large     1         0          0      0%    0  $0.00100      $1.00      $0     new",
        "  total   101       104    100,000   10.0%    0    $14.00    $138.62  $10.00  +40.0%",
        "  /killed was killed, and its folder does not record what it spent: up to $0.002 more may have been spent.",
        "  Rows billed at an unknown price: 1. They are not in the totals.",
    ]


def test_days_are_sorted(path: Path) -> None:
    report = spend_report(SpendPlace(path), "day", Period(date(2026, 10, 1), date(2026, 11, 30)))
    assert [group.name for group in report.groups] == ["2026-10-31", "2026-11-05", "2026-11-12", "2026-11-13"]


def test_a_prompt_is_listed_with_its_task(path: Path) -> None:
    assert [group.name for group in spend_report(SpendPlace(path), "prompt", NOVEMBER).groups] == ["sort 5eed"]


def test_spending_without_a_run_folder_is_its_own_group_and_noted(path: Path) -> None:
    report = spend_report(SpendPlace(path), "source", NOVEMBER)
    (group,) = report.groups
    assert (group.name, group.now.priced_nanousd) == (UNACCOUNTED, 14_001_000_000)
    assert any("/gone is not a run folder" in note for note in report.notes)


def test_no_store_is_created_if_nothing_was_spent(tmp_path: Path) -> None:
    report = spend_report(SpendPlace(tmp_path / "none"), "day", NOVEMBER)
    assert (report.groups, report.total.now) == ((), UsageTotals())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (None, None, ("2026-10-27", "2026-11-25")),
        (date(2026, 11, 1), None, ("2026-11-01", "2026-11-25")),
        (None, date(2026, 1, 30), ("2026-01-01", "2026-01-30")),
        (date(2026, 12, 1), None, ("2026-12-01", "2026-12-01")),
    ],
)
def test_a_period_is_thirty_days_up_to_today_by_default(
    since: date | None, until: date | None, days: tuple[str, str]
) -> None:
    parsed = period(since, until, today=date(2026, 11, 25))
    assert (parsed.since.isoformat(), parsed.until.isoformat()) == days


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageError, match="--since 2026-11-02 is after --until 2026-11-01"):
        period(date(2026, 11, 2), date(2026, 11, 1), today=date(2026, 11, 25))
