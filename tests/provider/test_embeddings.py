"""Embeddings on the wire: bodies as OpenAI defines them, and answers as servers send them."""

from base64 import b64encode
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.provider.completion import ErrorInAnswerError, NotACompletionError
from llmbatch.provider.embeddings import EMBEDDINGS, vectors_in
from llmbatch.provider.request import Question
from llmbatch.provider.shape import RequestShape

USAGE = {"prompt_tokens": 7, "total_tokens": 7}


def entry(index: int, vector: Any) -> dict[str, Any]:
    return {"object": "embedding", "index": index, "embedding": vector}


def decoded(data: Any, usage: Any = USAGE) -> list[list[float]]:
    body = orjson.dumps({"object": "list", "data": data, "model": "m", "usage": usage})
    content = EMBEDDINGS.decode(body, {}).content
    return [vector.tolist() for vector in vectors_in(content or "")]


def test_each_line_contains_one_text() -> None:
    encoder = EMBEDDINGS.encoder(Question("m", "", {}))
    body = orjson.loads(encoder.encode("one\ntwo \ud800", RequestShape()))
    assert body == {"model": "m", "input": ["one", "two ?"]}
    assert EMBEDDINGS.path("m 1", deployment=True) == "/deployments/m%201/embeddings"
    assert EMBEDDINGS.path("m", deployment=False) == "/embeddings"


def test_vectors_are_read_from_numbers_or_base64_in_any_order() -> None:
    as_base64 = b64encode(np.array([0.5, -2], dtype="<f4").tobytes()).decode()
    assert decoded([entry(1, [1, 2.5]), entry(0, as_base64)]) == [[0.5, -2], [1, 2.5]]
    assert decoded([{"embedding": [1.0]}, {"embedding": [2.0]}]) == [[1.0], [2.0]], (
        "without an index, in the given order"
    )


def test_tokens_are_counted_as_input_tokens() -> None:
    body = orjson.dumps({"data": [entry(0, [1.0])], "model": "m", "usage": USAGE})
    completion = EMBEDDINGS.decode(body, {"x-request-id": "r"})
    assert completion.usage is not None
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (7, 0)
    assert (completion.usage_flag, completion.model, completion.request_id) == (None, "m", "r")
    assert EMBEDDINGS.judge_answer(completion) is None


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        [entry(0, [])],
        [entry(0, "")],
        [entry(0, "%%%")],
        [entry(0, "AAA=")],
        [entry(0, [1.0, None])],
        [entry(0, [True])],
        [entry(0, b64encode(np.array([np.nan], dtype="<f4").tobytes()).decode())],
        [entry(0, [1.0]), entry(1, [1.0, 2.0])],
        ["x"],
    ],
)
def test_an_answer_without_vectors_of_numbers_is_unusable(data: Any) -> None:
    with pytest.raises(NotACompletionError):
        decoded(data)


def test_an_error_in_a_200_is_an_error() -> None:
    with pytest.raises(ErrorInAnswerError, match="no such model"):
        EMBEDDINGS.decode(b'{"error": {"message": "no such model", "code": "model_not_found"}}', {})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["index", "embedding", "x"]), inner),
    max_leaves=8,
)


@given(data=JSON, usage=JSON)
def test_any_answer_is_decoded_or_refused(data: Any, usage: Any) -> None:
    body = orjson.dumps({"data": data, "usage": usage})
    try:
        content = EMBEDDINGS.decode(body, {}).content
    except (NotACompletionError, ErrorInAnswerError):
        return
    assert len({len(vector) for vector in vectors_in(content or "")}) == 1
