"""What happens to a document that is too long: failed unsent, or truncated, and only then under another key."""

import pytest

from llmbatch.core.rows import Truncation
from llmbatch.engine.plan import ModelChoice, Plan, make_plan
from llmbatch.task.document_limit import DocumentLimit
from llmbatch.task.load import load_task
from llmbatch.tokens import count_tokens

SHORT, LONG = "An invoice is overdue.", "An invoice is overdue. " * 40


def plan(**choice: object) -> Plan:
    return make_plan(load_task(None), ModelChoice(**choice), offline=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [DocumentLimit(), DocumentLimit(cut=Truncation.HEAD), DocumentLimit(100)])
def test_without_a_limit_or_below_it_every_document_is_sent(limit: DocumentLimit) -> None:
    assert (limit.asked(SHORT), limit.refusal(SHORT)) == (SHORT, None)


def test_a_document_with_exactly_the_allowed_tokens_is_sent() -> None:
    tokens = count_tokens(LONG)
    assert DocumentLimit(tokens).refusal(LONG) is None
    assert DocumentLimit(tokens - 1).refusal(LONG) is not None


def test_a_refusal_names_both_numbers_and_the_options() -> None:
    refusal = DocumentLimit(100, why="that --max-doc-tokens allows").refusal(LONG)
    assert refusal == (
        f"the document has {count_tokens(LONG)} tokens, more than the 100 that --max-doc-tokens allows; "
        "use --truncate head or head-tail to send a part of it"
    )


def test_a_document_that_may_be_truncated_is_never_refused() -> None:
    limit = DocumentLimit(100, Truncation.HEAD)
    assert limit.refusal(LONG) is None
    assert count_tokens(limit.asked(LONG)) <= 100


def test_only_a_truncated_row_gets_another_key() -> None:
    whole, head, both = (
        plan(),
        plan(max_doc_tokens=100, truncate=Truncation.HEAD),
        plan(max_doc_tokens=100, truncate=Truncation.HEAD_TAIL),
    )
    assert whole.key(SHORT) == head.key(SHORT) == both.key(SHORT)
    assert len({whole.key(LONG), head.key(LONG), both.key(LONG)}) == 3


def test_a_limit_that_truncates_nothing_changes_no_key() -> None:
    assert plan().key(LONG) == plan(max_doc_tokens=20).key(LONG)


def test_the_document_limit_is_the_window_minus_prompt_and_answer() -> None:
    known = plan(model="gpt-4o-mini")
    assert known.limit.tokens == 128_000 - known.prefix_tokens - known.shape.max_output_tokens - 32
    assert "gpt-4o-mini (128,000)" in known.limit.why


@pytest.mark.parametrize(("wanted", "tokens"), [(500, 500), (1_000_000, plan(model="gpt-4o-mini").limit.tokens)])
def test_the_lower_of_the_window_and_the_users_limit_applies(wanted: int, tokens: int) -> None:
    assert plan(model="gpt-4o-mini", max_doc_tokens=wanted).limit.tokens == tokens


def test_an_unknown_model_has_no_limit() -> None:
    assert plan(model="mine").limit.tokens is None
