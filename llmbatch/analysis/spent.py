"""What was spent over all runs, from the spend store, or by input field from the run folders that it names."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from msgspec.structs import astuple

from llmbatch.analysis.attribution import NoSuchFieldError, attribute
from llmbatch.core.errors import UsageError
from llmbatch.core.filenames import restored
from llmbatch.core.money import to_usd
from llmbatch.core.plurals import counted
from llmbatch.core.usage import UsageTotals
from llmbatch.runs.spend_stores import SpendPlace
from llmbatch.session.settlement import actual_spend
from llmbatch.spend.account import settle_dead
from llmbatch.spend.book import HOLD, OFFLINE, REAL, SpendRecords
from llmbatch.spend.report import Period, Report, grouped, total_of

UNACCOUNTED = "(not in any run folder)"
_OF_THE_STORE = ("day", "model", "prompt", "run")

Sums = dict[str, UsageTotals]


def spend_report(place: SpendPlace, by: str, period: Period, *, offline: bool = False) -> Report:
    """Report what was spent in a period and in the one before it.

    Args:
        place: the spend store.
        by: `day`, `model`, `prompt`, `run`; or `label` or an input field, which are in the run folders.
        period: the days.
        offline: report the simulated cost of the offline endpoint instead of real spending.

    Raises:
        StorageFailed: the store cannot be used.
    """
    if not place.exists():
        nothing = total_of({}, {})
        return Report(by, (), nothing, period, offline, (f"No spend store at {place} yet.",))
    with closing(place()) as store:
        settle_dead(store, actual_spend)
        book = OFFLINE if offline else REAL
        notes = _unsettled(store, book, period)
        if by in _OF_THE_STORE:
            now, before = (store.sums(by, book, *_ends(span)) for span in (period, period.before))
        else:
            now, before = _by_field(store, book, by, period, notes)
    if unpriced := sum(figures.unpriced_rows for figures in now.values()):
        notes.append(f"Rows billed at an unknown price: {unpriced:,}. They are not in the totals.")
    return Report(by, grouped(by, now, before), total_of(now, before), period, offline, tuple(notes))


def _by_field(store: SpendRecords, book: str, by: str, period: Period, notes: list[str]) -> tuple[Sums, Sums]:
    """(now, before) from ledgers and inputs. Spending not found there forms a separate group, with a note."""
    spans = (period, period.before)
    known = [store.sums("run", book, *_ends(span)) for span in spans]
    groups: tuple[Sums, Sums] = ({}, {})
    runs, without = sorted({*known[0], *known[1]}), 0
    for run in runs:
        try:
            of_folder = attribute(Path(restored(run)), by, [span.holds for span in spans])
        except NoSuchFieldError as error:
            without += 1
            if without == len(runs):
                raise UsageError(f"--by {by}: no run in this period has such a field", hint=error.hint) from None
            of_folder = [{}, {}]
        except UsageError as error:
            notes.append(f"{error.message}; the spending of {run} is under {UNACCOUNTED}.")
            of_folder = [{}, {}]
        for sums, found, of_run in zip(groups, of_folder, known, strict=True):
            _add(sums, found)
            rest = of_run.get(run, UsageTotals()) - sum(found.values(), UsageTotals())
            if rest.most_nanousd > 0:  # in flight at a kill, or the folder is missing or unreadable
                _add(sums, {UNACCOUNTED: UsageTotals(*(max(amount, 0) for amount in astuple(rest)))})
            elif rest.most_nanousd < 0:
                more = f"${to_usd(-rest.most_nanousd):,.6g}"
                notes.append(
                    f"The ledger of {run} holds {more} more than the spend store: a session used a different store."
                )
    if without:
        notes.append(f"{counted(without, 'run')} without a field {by!r}: their spending is under {UNACCOUNTED}.")
    return groups


def _unsettled(store: SpendRecords, book: str, period: Period) -> list[str]:
    notes = []
    for session, run, held_nanousd in store.unsettled(book, *_ends(period)):
        if session.startswith(HOLD):
            notes.append(f"{run} has a batch at the provider: ${to_usd(held_nanousd):,.6g} at most.")
        elif store.sign_of_life(session).is_held():
            notes.append(f"{run} is in progress: its figures are a few seconds old.")
        else:
            notes.append(
                f"{run} was killed, and its folder does not record what it spent: up to ${to_usd(held_nanousd):,.6g} "
                "more may have been spent."
            )
    return notes


def _add(sums: Sums, more: Mapping[str, UsageTotals]) -> None:
    for name, figures in more.items():
        sums[name] = sums.get(name, UsageTotals()) + figures


def _ends(span: Period) -> tuple[str, str]:
    return span.since.isoformat(), span.until.isoformat()
