"""Review sessions: one reviewer on a queue, and two reviewers on one folder."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from llmbatch.review.claims import Claims
from llmbatch.review.item import LOW_CONFIDENCE
from llmbatch.review.opened import opened
from llmbatch.review.queue import Choice, make_queue
from llmbatch.review.session import Progress, ReviewSession
from llmbatch.runs.decisions import Decision, DecisionLog
from tests.sealing import rewrite


class _NoClaims:
    """For two sessions in one process, where the kernel grants every lock."""

    def take(self, _: int) -> bool:
        return True


OpenSession = Callable[[str], ReviewSession]


@pytest.fixture
def session_of(run: Path) -> Iterator[OpenSession]:
    seconds = count()
    with ExitStack() as stack:

        def open_session(reviewer: str, choice: Choice | None = None) -> ReviewSession:
            review = stack.enter_context(opened(run))
            queue = make_queue(review, choice or Choice())
            stack.callback(queue.close)
            return ReviewSession(
                queue,
                review.decisions,
                reviewer=reviewer,
                claims=_NoClaims(),
                clock=lambda: f"2026-11-25T12:00:{next(seconds):02}Z",
            )

        yield open_session


def logged_decision(run: Path, session: ReviewSession) -> Decision | None:
    """The current decision on the session's row, in a freshly opened log."""
    assert session.item is not None
    return DecisionLog(run / "decisions.jsonl").latest(session.item.digest)


def ids(session: ReviewSession) -> Iterator[object]:
    while session.item is not None:
        yield session.item.id
        session.skip()


def test_the_least_confident_come_first_failed_rows_last_and_each_text_once(session_of: OpenSession) -> None:
    session = session_of("ana")
    assert session.item is not None
    assert (session.item.reason, session.copies) == (LOW_CONFIDENCE, 2)
    assert list(ids(session)) == ["d", "7", 7, "f", "c"]
    assert session.progress == Progress(total=5, decided=0, corrected=0, skipped=5)
    session.return_to_skipped()
    assert session.item is not None


def test_a_decision_is_in_the_log_before_the_next_row_is_shown(run: Path, session_of: OpenSession) -> None:
    session = session_of("ana")
    assert session.decide("technical") is None
    assert session.decide("legal") is None
    assert session.progress == Progress(total=5, decided=2, corrected=1, skipped=0)
    assert len(DecisionLog(run / "decisions.jsonl")) == 2
    again = session_of("ana")
    assert (again.progress.decided, again.item and again.item.id) == (2, 7), "another session continues there"


def test_undo_reverts_the_decision_and_returns_to_the_row(run: Path, session_of: OpenSession) -> None:
    session = session_of("ana")
    session.note("hm")
    session.decide("legal")
    assert session.undo() is None
    assert session.item is not None
    assert session.item.id == "d"
    assert (now := logged_decision(run, session)) is not None
    assert (now.category, now.note) == (None, "hm")
    assert session.undo() is None
    assert (now := logged_decision(run, session)) is not None
    assert (now.category, now.note) == (None, None)
    assert session.undo() == "Nothing to undo."


def test_a_note_stays_with_the_decision(run: Path, session_of: OpenSession) -> None:
    session = session_of("ana")
    session.note("  look at this ")
    session.decide("legal")
    session.step(-1)
    assert (now := logged_decision(run, session)) is not None
    assert (now.category, now.note) == ("legal", "look at this")


def test_two_independent_decisions_on_a_row_are_both_kept_and_reported(run: Path, session_of: OpenSession) -> None:
    ana, ben = session_of("ana"), session_of("ben")
    ana.decide("legal")
    message = ben.decide("other")
    assert message == "ana decided legal meanwhile: both are kept. Decide again to resolve it."
    assert (now := logged_decision(run, ben)) is not None
    assert {one.reviewer: one.category for one in now.standings} == {"ana": "legal", "ben": "other"}
    assert ben.decide("legal") is None
    assert ben.progress.decided == 1


def test_a_row_decided_by_another_reviewer_is_reported_and_skipped(session_of: OpenSession) -> None:
    ana, ben = session_of("ana"), session_of("ben")
    assert ben.refresh() is None
    ana.decide("legal")
    ana.decide("legal")
    assert ben.refresh() == "ana decided legal just now."
    ben.skip()
    assert ben.item is not None
    assert (ben.item.id, ben.progress.decided) == (7, 2)


def test_other_reviewers_decisions_count_after_the_next_own_decision(session_of: OpenSession) -> None:
    ana, ben = session_of("ana"), session_of("ben")
    ana.decide("legal")
    ben.skip()
    ben.decide("legal")
    assert ben.progress.decided == 2


def test_rows_are_found_by_id_and_text(session_of: OpenSession) -> None:
    session = session_of("ana")
    assert session.find("文書")
    assert session.item is not None
    assert session.item.id == 7
    assert session.find("C")
    assert not session.find("nowhere")


def test_a_decision_survives_a_change_of_prompt_and_model(run: Path, session_of: OpenSession) -> None:
    session = session_of("ana")
    session.decide("legal")
    rewrite(run / "decisions.jsonl", lambda line: line | {"key": "0" * 32})
    again = session_of("ben")
    assert (again.item and again.item.id, again.progress.decided) == ("7", 1)


def test_a_sample_gives_the_error_rate(session_of: Callable[..., ReviewSession]) -> None:
    session = session_of("ana", Choice(sample=True))
    total = session.progress.total
    while session.item is not None and session.item.category is not None:
        session.decide("other" if session.place == 0 else session.item.category)
    assert (session.progress.decided, session.error_rate.wrong > 0) == (total, True)
    assert session.error_rate.checked == 4


def test_a_row_is_claimed_by_one_reviewer_and_freed_when_their_process_ends(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from llmbatch.review.claims import Claims\n"
        "claims = Claims(Path(sys.argv[1])); print(claims.take(7), flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    claims = Claims(tmp_path)
    assert not claims.take(7)
    assert claims.take(8)
    other.kill()
    other.communicate()
    assert claims.take(7)
    claims.close()
