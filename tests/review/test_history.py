"""The error rate of successive runs."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from llmbatch.review.error_rate import ErrorRate
from llmbatch.review.history import FILE, SampleCheck, change
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice, make_queue
from llmbatch.review.settle import settle
from llmbatch.runs.ledger.lock import locked
from tests.e2e.program import read_rows
from tests.review.conftest import take
from tests.sealing import rewrite

CHECK = SampleCheck("r", "s", "2026-11-24T00:00:00Z", "", "default", "p", "m", 50, 50, 4, 40, 1, folder="mon.llmbatch")


@pytest.mark.parametrize(("wrong", "checked"), [(4, 50), (20, 60), (0, 30)])
def test_the_interval_of_a_change_matches_newcombe(wrong: int, checked: int) -> None:
    moved = change(CHECK, ErrorRate(checked, wrong))
    expected = confint_proportions_2indep(wrong, checked, 4, 50, method="newcomb", compare="diff")
    assert (moved.low, moved.high) == pytest.approx(tuple(map(float, expected)))
    assert moved.is_clear == (moved.low > 0 or moved.high < 0)


def test_a_run_is_compared_with_the_previous_run_in_the_same_folder(run: Path) -> None:
    before = run.with_name("before.llmbatch")
    shutil.copytree(run, before)
    (before / FILE).write_text(json.dumps(read_check(run)) + "\n")
    rewrite(before / FILE, lambda check: check | {"sample": "x", "run_at": "2026-01-01T00:00:00Z"})
    decide_all(run, b="other")
    settled = settle(run)
    assert settled.sample is not None
    assert settled.trend is not None
    assert [check.folder for check in settled.trend.checks] == ["before.llmbatch", "docs.llmbatch"]
    assert settled.trend.change is not None
    assert settled.trend.change.since == "before.llmbatch"


def decide_all(run: Path, **labels: str) -> None:
    """Decide every row of the sample as the model did, except the named ones."""
    with opened(run) as review, closing(make_queue(review, Choice(sample=True))) as queue:
        items = [queue[place] for place in range(len(queue))]
    take(run, [{"key": item.key, "id": item.id, "decision": labels.get(str(item.id), item.category)} for item in items])


def read_check(run: Path) -> dict[str, object]:
    """The result of a run's sample once fully decided; the run is left unchanged."""
    copy = run.with_name("copy.llmbatch")
    shutil.copytree(run, copy)
    decide_all(copy)
    settle(copy)
    (check,) = read_rows(copy / FILE)
    shutil.rmtree(copy)
    return check


def test_a_check_is_stored_once_and_not_while_a_run_is_active(run: Path) -> None:
    decide_all(run)
    with locked(run):
        assert not settle(run).in_views
    assert not (run / FILE).exists()
    settle(run)
    settle(run)
    assert len(read_rows(run / FILE)) == 1
    decide_all(run, **dict.fromkeys("abdef7", "other"))
    settle(run)
    assert len(read_rows(run / FILE)) == 2
