"""Agreement between reviewers, and blind review."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from llmbatch.review.agreement import cohen, krippendorff
from llmbatch.review.claims import Claims
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice, make_queue
from llmbatch.review.session import ReviewSession
from llmbatch.review.status import review_status
from tests.e2e.program import read_rows
from tests.review.conftest import NOON

LABELS = st.sampled_from("abc")


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30))
@settings(deadline=None)
def test_kappa_matches_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    found = cohen(pairs)
    if len({*one, *other}) == 1:
        assert found is None
    else:
        assert found is not None
        assert math.isclose(found, cohen_kappa_score(one, other), abs_tol=1e-9)


def test_alpha_matches_the_published_example() -> None:
    """Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers, missing values."""
    observers = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    units = [Counter(row[n] for row in observers if n < len(row) and row[n] != ".") for n in range(12)]
    alpha = krippendorff(units)
    assert alpha is not None
    assert round(alpha, 3) == 0.743


@given(st.lists(st.lists(LABELS, max_size=5), max_size=20))
def test_alpha_is_one_if_all_agree_and_never_more(units: list[list[str]]) -> None:
    alpha = krippendorff([Counter(unit) for unit in units])
    several = {label for unit in units if len(unit) > 1 for label in unit}
    assert (alpha is None) == (len(several) < 2)
    if alpha is not None:
        agreed = all(len(set(unit)) < 2 for unit in units)
        assert alpha <= 1
        assert (alpha == 1) == agreed


@contextmanager
def session_of(run: Path, reviewer: str, *, blind: bool = True) -> Iterator[ReviewSession]:
    with opened(run) as of_run, closing(Claims(run)) as claims:
        queue = make_queue(of_run, Choice(blind=blind))
        yield ReviewSession(queue, of_run.decisions, reviewer=reviewer, claims=claims, clock=lambda: NOON, blind=blind)


def review(run: Path, reviewer: str, labels: Sequence[str], *, blind: bool = True) -> None:
    """Give the queue's rows these labels."""
    with session_of(run, reviewer, blind=blind) as session:
        for label in labels:
            assert session.decision is None or not blind
            session.decide(label)


def test_two_blind_reviewers_label_the_same_rows_and_a_third_resolves_conflicts(run: Path) -> None:
    review(run, "ana", ["legal", "other", "legal", "business", "legal"])
    review(run, "ben", ["legal", "other", "other", "business", "legal"])
    with opened(run) as opened_run:
        status = review_status(opened_run)
    assert (status.conflicts, status.agreement and status.agreement.texts) == (1, 5)
    assert status.agreement is not None
    (pair,) = status.agreement.pairs
    assert (pair.reviewers, pair.texts, pair.same) == (("ana", "ben"), 5, 4)
    assert pair.kappa == pytest.approx(11 / 16, abs=0.01)
    before = status.agreement
    review(run, "carla", ["marketing"], blind=False)
    with opened(run) as opened_run:
        status = review_status(opened_run)
    assert (status.conflicts, status.agreement) == (0, before), (
        "the reviewer who resolved the conflict had seen both labels"
    )
    assert [line["reviewer"] for line in read_rows(run / "decisions.jsonl")][-1] == "carla"


def test_a_blind_reviewer_can_undo_and_resume(run: Path) -> None:
    review(run, "ana", ["legal", "other"])
    with session_of(run, "ben") as session:
        assert (session.progress.decided, session.place) == (0, 0)
        session.decide("other")
        assert (session.progress.decided, session.place) == (1, 1), "ana's different decision is not shown"
        assert session.undo() is None
        assert (session.progress.decided, session.place) == (0, 0)
        assert session.refresh() is None
    with opened(run) as opened_run:
        assert review_status(opened_run).agreement is None
    review(run, "ana", ["business"])
    texts = [line["category"] for line in read_rows(run / "decisions.jsonl") if line["reviewer"] == "ana"]
    assert texts[-1] == "business"


@pytest.mark.parametrize(
    ("units", "alpha"),
    [
        (["333", "333", "333", "333", "331"], 0.0),  # one disagreement among almost identical labels
        (["11", "2"], None),  # texts that only one reviewer labelled do not count
        (["11", "22"], 1.0),
        ([], None),
    ],
)
def test_alpha_of_edge_cases_reported_against_packages(units: list[str], alpha: float | None) -> None:
    found = krippendorff([Counter(unit) for unit in units])
    assert found == (alpha if alpha is None else pytest.approx(alpha, abs=1e-9))
