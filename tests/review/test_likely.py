"""The likeliest of many labels for a text."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.review.item import LOW_CONFIDENCE, ReviewItem
from llmbatch.review.likely import LikelyLabels
from llmbatch.task.fields import Label
from llmbatch.task.load import load_task

BANKING = load_task("banking77").task.labels
ITEM = ReviewItem(
    row=0,
    id="a",
    key="k",
    text="",
    digest="d",
    reason=LOW_CONFIDENCE,
    under=None,
    category=None,
    confidence=None,
    confidences=None,
    runner_up=None,
    reasoning=None,
    error=None,
    fields={},
)


def names(labels: LikelyLabels, most: int = 9, **about: str | None) -> list[str]:
    return [label.name for label in labels.nearest(replace(ITEM, **about), most)]  # type: ignore[arg-type]


def test_the_models_answer_and_its_runner_up_come_first() -> None:
    found = names(
        LikelyLabels(BANKING, {}), text="My card was swallowed.", category="pin_blocked", runner_up="top_up_failed"
    )
    assert found[:2] == ["pin_blocked", "top_up_failed"]
    assert "card_swallowed" in found
    assert len(set(found)) == 9


def test_labels_that_share_rare_words_with_the_text_or_its_examples_come_next() -> None:
    likely = LikelyLabels(BANKING, {"country_support": ["Do you serve Narnia?"]})
    assert names(likely, text="Narnia?", most=1) == ["country_support"]
    assert names(likely, text="I lost my phone yesterday", most=1) == ["lost_or_stolen_phone"]


def test_a_label_no_longer_in_the_task_is_left_out() -> None:
    assert "gone" not in names(LikelyLabels(BANKING, {}), text="x", category="gone")


@given(st.text(max_size=50), st.lists(st.text(min_size=1, max_size=5), max_size=12, unique=True), st.integers(0, 9))
def test_any_text_gets_the_requested_number_of_distinct_labels(text: str, labels: list[str], most: int) -> None:
    likely = LikelyLabels([Label.model_construct(name=name) for name in labels], {})
    found = names(likely, text=text, category=labels[0] if labels else None, most=most)
    assert len(found) == len(set(found)) == min(most, len(labels))
