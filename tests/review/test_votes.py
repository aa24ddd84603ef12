"""A row with jury votes, as a reviewer sees it."""

from llmbatch.core.ledger_line import JURY, OK, LedgerLine, Vote
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Place, Row
from llmbatch.review.app.panes import _model_lines
from llmbatch.review.item import LOW_CONFIDENCE, item_of
from llmbatch.runs.outputs.outcome import Outcome

VOTES = (
    Vote("gpt-6-luna", "p", "joy|love", 0.4),
    Vote("gpt-5.4", "p", "anger", 0.9),
    Vote("[bold]mine", "p", "grief", 0, none_fits=True),
)
LINE = LedgerLine(row=0, id="a", key="0" * 32, status=OK, category="anger", confidence=0.4, arm=JURY, prompt="p",
                  model="m", started_at="2026-11-27T20:00:00Z", votes=VOTES)  # fmt: skip


def test_each_vote_is_shown_with_markup_escaped() -> None:
    outcome = Outcome(Row(0, "a", "Well.", Place("docs.jsonl", 1), {}), LINE.key, "review", LINE, None)
    item = item_of(outcome, LOW_CONFIDENCE, {}, ReviewRule(0.5))
    shown = "\n".join(line.plain for line in _model_lines(item, "", 80))
    assert "votes  gpt-6-luna joy|love 0.40, gpt-5.4 anger 0.90, [bold]mine none of them" in shown
