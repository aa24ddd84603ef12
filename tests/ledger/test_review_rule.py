"""Which rows need review."""

from collections.abc import Callable

import pytest

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.review_rule import LabelLimits, ReviewRule


@pytest.mark.parametrize(
    ("limits", "needs"),
    [
        (LabelLimits({"a": 0.5}), False),
        (LabelLimits({"a": 0.8}), True),
        (LabelLimits({"b": 0.5}), True),
        (LabelLimits({"b": 0.5}, others=0.6), False),
        (LabelLimits({}, others=0.8), True),
    ],
)
def test_a_label_without_its_own_threshold(
    make_line: Callable[..., LedgerLine], limits: LabelLimits, *, needs: bool
) -> None:
    line = make_line(0, category="a", confidence=0.7)
    rule = ReviewRule(0.75, {(line.prompt, line.model, "reported"): limits}, lambda _: {"a": 0.7})
    assert rule.needs_review(line) is needs
    other = ReviewRule(0.6, {("another prompt", line.model, "reported"): limits}, lambda _: {"a": 0.7})
    assert not other.needs_review(line), "thresholds hold for the prompt and model that they were found for"
