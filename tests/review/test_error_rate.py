"""The error rate's interval, against a reference library."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from llmbatch.review.error_rate import ErrorRate
from llmbatch.stats.intervals import wilson


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (3, 50), (50, 50), (1, 1), (17, 1000)])
def test_the_interval_matches_wilson(hits: int, trials: int) -> None:
    expected = proportion_confint(hits, trials, alpha=0.05, method="wilson")
    assert wilson(hits / trials, trials) == pytest.approx(tuple(map(float, expected)))


def test_without_checked_rows_there_is_no_error_rate() -> None:
    assert ErrorRate().share is None
    assert ErrorRate().interval == (0.0, 1.0)
