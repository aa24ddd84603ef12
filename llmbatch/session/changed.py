"""The effect of a changed plan on finished rows: they are sent again, after a warning."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from llmbatch.core.prices import PriceBook
from llmbatch.core.rows import Rejection, Row
from llmbatch.estimate.arm_jobs import Beside
from llmbatch.estimate.estimate import quick_estimate
from llmbatch.observe.events import PlanChanged
from llmbatch.runs.folder import RunRecord
from llmbatch.runs.ledger.log import Ledger
from llmbatch.session.session_plan import SessionPlan


def plan_changed(
    session: SessionPlan,
    before: RunRecord,
    rows: Iterable[Row | Rejection],
    ledger: Ledger,
    is_skipped: Callable[[str], bool],
    prices: PriceBook,
) -> PlanChanged | None:
    """Which finished rows a session sends again, and what that will cost; None if there are none.

    Args:
        session: the current plan.
        before: the record of the previous session.
        rows: the input, read to its end.
        ledger: the answers so far.
        is_skipped: whether the session skips a key.
        prices: prices of models.
    """
    plan, count = session.plan, 0
    earlier_key = replace(plan, fingerprint=before.fingerprint).key

    def finished_before() -> Iterator[Row]:
        nonlocal count
        for row in rows:
            if isinstance(row, Rejection) or not ledger.is_done(earlier_key(row.text)):
                continue
            if not is_skipped(plan.key(row.text)) and not session.is_settled(row.text):
                count += 1
                yield row

    estimate = quick_estimate(
        plan,
        session.asked,
        finished_before(),
        is_skipped,
        session.is_settled,
        Beside(session.experiments, session.record.review_below),
        sending=session.sending,
        prices=prices,
        standing=before,
        within_s=None,
    )
    if not count:
        return None
    return PlanChanged(_changed(session, before), count, estimate.cost_nanousd, plan.offline)


def _changed(session: SessionPlan, before: RunRecord) -> tuple[str, ...]:
    plan = session.plan
    parts = {"prompt": plan.prompt != before.prompt, "model": plan.question.model != before.model}
    return tuple(name for name, is_changed in parts.items() if is_changed) or ("parameters",)
