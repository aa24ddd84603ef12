"""Every request that can be sent conforms to OpenAI's published specification."""

from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.models import OutputMode
from llmbatch.provider.request import Question, RequestEncoder
from llmbatch.provider.shape import RequestShape, adapted, initial_shape
from llmbatch.provider.wordings import wordings
from llmbatch.task.fields import Label
from llmbatch.task.model import Task
from tests.published.schemas import breaches

TASK = Task(name="t", labels=(Label(name="a"), Label(name="b")))
MODELS = ["gpt-6-luna", "gpt-5-mini", "gpt-5.1", "gpt-4o-mini", "o3-mini", "o1", "gpt-oss-20b", "claude-opus-4", "m"]
PARAMETERS = sorted({w.parameter for w in wordings() if w.parameter} | {"max_tokens", "temperature", "stream"})
TIERS = ["auto", "default", "flex", "priority", "scale"]


def broken(shape: RequestShape, model: str = "m", text: str = "Some text.", *, reasoning: bool = False) -> list[str]:
    question = Question(model, "Label the text. Answer in JSON.", TASK.label_space.answer_schema(reasoning=reasoning))
    return breaches("CreateChatCompletionRequest", orjson.loads(RequestEncoder(question).encode(text, shape)))


def with_fallbacks(shape: RequestShape) -> Iterator[RequestShape]:
    """A shape, and its fallbacks as one parameter after the other is refused until none is left."""
    yield shape
    for parameter in PARAMETERS:
        tried: RequestShape | None = shape
        for _ in range(5):
            if tried is not None and (tried := adapted(tried, parameter, "")) is not None:
                yield tried


@pytest.mark.parametrize("model", MODELS)
def test_first_requests_and_all_their_fallbacks(model: str) -> None:
    for reasoning, logprobs, tier in ((False, False, None), (True, True, "flex"), (True, False, "priority")):
        first = initial_shape(model, answer_tokens=30, logprobs=logprobs, service_tier=tier)
        for shape in with_fallbacks(first):
            assert broken(shape, model, reasoning=reasoning) == [], shape


SHAPES = st.builds(
    RequestShape,
    output=st.sampled_from(OutputMode),
    limit_parameter=st.sampled_from(["max_tokens", "max_completion_tokens"]),
    max_output_tokens=st.integers(1, 65_536),
    temperature=st.none() | st.floats(0, 2),
    reasoning_effort=st.sampled_from([None, "none", "minimal", "low", "medium", "high"]),
    cache_key=st.booleans(),
    cache_breakpoint=st.booleans(),
    logprobs=st.booleans(),
    system_role=st.booleans(),
    states_stream=st.booleans(),
    service_tier=st.sampled_from([None, *TIERS]),
)


@given(SHAPES, st.text())
def test_any_combination_of_shape_settings(shape: RequestShape, text: str) -> None:
    assert broken(shape, text=text) == []


def test_the_check_detects_violations() -> None:
    request = {"model": "m", "messages": [], "temperature": 3, "wish": 1, "max_tokens": "many"}
    assert {breach.split(":")[0] for breach in breaches("CreateChatCompletionRequest", request)} == {
        "$.messages", "$.temperature", "$.wish", "$.max_tokens",
    }  # fmt: skip
