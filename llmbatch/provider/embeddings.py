"""OpenAI's embeddings as a dialect: a request's lines are texts, its answer has a vector for each.

The path and the body differ from chat completions; credentials, limits, errors and usage are the same (OpenAI, "API
reference: Create embeddings"). vLLM, llama.cpp, Ollama, TEI, LocalAI and litellm follow it.
"""

from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import Any
from urllib.parse import quote

import orjson

from llmbatch.provider.completion import Completion, NotACompletionError, check_for_errors, object_in
from llmbatch.provider.dialect import ChatCompletions, Dialect, Encoder
from llmbatch.provider.failures import Failure
from llmbatch.provider.request import Question
from llmbatch.provider.shape import RequestShape
from llmbatch.provider.usage import read_usage


class Embeddings(ChatCompletions):
    """The endpoint's embeddings."""

    name = "embeddings"

    def path(self, model: str, *, deployment: bool) -> str:
        """Where requests go, below the base URL."""
        return f"/deployments/{quote(model, safe='')}/embeddings" if deployment else "/embeddings"

    def encoder(self, question: Question) -> Encoder:
        """JSON with the lines of a text as inputs."""
        return _EmbeddingEncoder(question.model)

    def decode(self, body: bytes, headers: Mapping[str, str]) -> Completion:
        """JSON with vectors, which become the content: see `vectors_in`."""
        data = object_in(body)
        check_for_errors(data)
        usage = data.get("usage")
        reported = read_usage({**usage, "completion_tokens": 0} if isinstance(usage, dict) else None)
        model = data.get("model")
        return Completion(
            content=_content(data.get("data")),
            model=model if isinstance(model, str) else None,
            usage=reported.usage,
            usage_flag=reported.flag,
            request_id=headers.get("x-request-id"),
        )

    def judge_answer(self, completion: Completion) -> Failure | None:  # noqa: ARG002
        """Vectors that could be decoded can be used."""
        return None

    def fallback(self, shape: RequestShape, parameter: str, message: str) -> RequestShape | None:  # noqa: ARG002
        """None: only the model and the texts are sent."""
        return None


EMBEDDINGS: Dialect = Embeddings()


class _EmbeddingEncoder:
    def __init__(self, model: str) -> None:
        self._model = model

    def encode(self, text: str, shape: RequestShape, *, before: str = "") -> bytes:  # noqa: ARG002
        """The request for each line of `text`. Lone surrogates become U+FFFD, since JSON cannot represent them."""
        lines = text.encode("utf-8", "replace").decode().split("\n")
        return orjson.dumps({"model": self._model, "input": lines})


def vectors_in(content: str) -> list[Any]:
    """The vectors in an answer's content, as arrays of 32-bit floats.

    Raises:
        ValueError: the content does not contain vectors in this form.
    """
    import numpy as np  # noqa: PLC0415 - an extra

    head, _, encoded = content.partition(" ")
    return list(np.frombuffer(b64decode(encoded), dtype="<f4").reshape(int(head), -1))


def _content(data: Any) -> str:
    """The number of vectors, and their numbers as base64 of 32-bit floats.

    Raises:
        NotACompletionError: an entry has no vector, the vectors differ in length, or there are none.
    """
    entries = data if isinstance(data, list) else []
    vectors = [_vector(entry) for entry in sorted(entries, key=_index)]
    if not vectors or len({len(vector) for vector in vectors}) != 1:
        raise NotACompletionError("no embeddings in it")
    numbers = array("f", chain.from_iterable(vectors))
    return f"{len(vectors)} {b64encode(numbers.tobytes()).decode()}"


def _index(entry: Any) -> int:
    index = entry.get("index") if isinstance(entry, dict) else None
    return index if isinstance(index, int) else 0


def _vector(entry: Any) -> Sequence[float]:
    """An entry's vector: a list of numbers, or base64 of 32-bit floats, which some servers prefer."""
    vector = entry.get("embedding") if isinstance(entry, dict) else None
    if isinstance(vector, str):
        try:
            vector = array("f", b64decode(vector, validate=True))
        except ValueError:
            vector = None
    is_list = isinstance(vector, list) and all(type(one) in (float, int) for one in vector)
    if not vector or not (is_list or isinstance(vector, array)) or not isfinite(sum(vector)):
        raise NotACompletionError("no vector of numbers for a text")
    return vector
