"""The prefix is the same bytes for every row, and a document is sent exactly."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.models import OutputMode
from llmbatch.provider.request import Question, RequestEncoder, request_body
from llmbatch.provider.shape import RequestShape, initial_shape
from llmbatch.task.fence import build_document
from llmbatch.task.fields import Label
from llmbatch.task.model import Task
from llmbatch.task.prefix import build_prefix

TASK = Task(name="t", labels=(Label(name="a"), Label(name="b")))
QUESTION = Question("gpt-6-luna", build_prefix(TASK), TASK.label_space.answer_schema(reasoning=False))
SHAPE = initial_shape("gpt-6-luna", answer_tokens=30)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_body_equals_the_result_of_encoding_it_whole(text: str) -> None:
    body = RequestEncoder(QUESTION).encode(text, SHAPE)
    assert orjson.loads(body) == request_body(QUESTION, SHAPE, build_document(text))


@given(st.text(), st.text())
def test_everything_before_the_document_is_the_same_for_every_row(one: str, other: str) -> None:
    encoder = RequestEncoder(QUESTION)
    first, second = encoder.encode(one, SHAPE), encoder.encode(other, SHAPE)
    head = first.index(b'"role":"user"')
    assert first[:head] == second[:head]


def test_a_lone_surrogate_is_replaced() -> None:
    body = orjson.loads(RequestEncoder(QUESTION).encode("a\ud800b", SHAPE))
    assert "a?b" in body["messages"][-1]["content"]


@pytest.mark.parametrize("output", OutputMode)
def test_the_output_mode_decides_the_response_format(output: OutputMode) -> None:
    body = request_body(QUESTION, RequestShape(output=output), "x")
    assert body.get("response_format", {"type": "text"})["type"] == output


def test_an_output_limit_is_always_set_under_exactly_one_name() -> None:
    body = request_body(QUESTION, SHAPE, "x")
    assert body["max_completion_tokens"] == 30
    assert "max_tokens" not in body


def test_the_end_of_the_prefix_is_marked_if_the_model_accepts_marks_and_nothing_else_is_cached() -> None:
    body = orjson.loads(RequestEncoder(QUESTION).encode("x", initial_shape("gpt-6-luna", answer_tokens=30)))
    breakpoint_ = {"mode": "explicit"}
    part = {"type": "text", "text": QUESTION.prefix, "prompt_cache_breakpoint": breakpoint_}
    assert body["messages"][0] == {"role": "system", "content": [part]}
    assert body["prompt_cache_options"] == {"mode": "explicit"}
    assert body["prompt_cache_key"] == QUESTION.cache_key


def test_an_older_model_gets_its_prefix_as_plain_text() -> None:
    body = orjson.loads(RequestEncoder(QUESTION).encode("x", initial_shape("gpt-4o-mini", answer_tokens=30)))
    assert body["messages"][0] == {"role": "system", "content": QUESTION.prefix}
    assert "prompt_cache_options" not in body
