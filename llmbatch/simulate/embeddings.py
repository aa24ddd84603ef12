"""Embeddings of the offline endpoint: the more two texts have in common, the closer their vectors; no model."""

import math
from array import array
from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import orjson

from llmbatch.simulate.error_faults import too_long
from llmbatch.simulate.features import features
from llmbatch.simulate.reply import RefusedError, reject
from llmbatch.simulate.request import read_body

_WINDOW = 8_192
"""Maximum tokens of a text (OpenAI, "Vector embeddings": 8,192 for all its models)."""
_MOST_TEXTS = 2_048
_DIMENSIONS = 512
_PLACES = 2
"""How many dimensions a feature affects: two features rarely share both."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """The texts to embed."""

    model: str
    texts: tuple[str, ...]
    in_base64: bool
    azure: bool


def read_embedding_request(raw: bytes, *, deployment: str | None) -> EmbeddingRequest:
    """Read and check a request's body.

    Args:
        raw: the body.
        deployment: the Azure deployment in the path; it replaces the body's model.

    Raises:
        RefusedError: with OpenAI's response to the error.
    """
    body, model = read_body(raw, deployment)
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if (
        not isinstance(texts, list)
        or not 0 < len(texts) <= _MOST_TEXTS
        or not all(isinstance(text, str) and text for text in texts)
    ):
        reject("'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.")
    return EmbeddingRequest(model, tuple(texts), body.get("encoding_format") == "base64", deployment is not None)


def check_window(tokens: int) -> None:
    """Refuse a text with more tokens than the window.

    Raises:
        RefusedError: with OpenAI's 400.
    """
    if tokens > _WINDOW:
        raise RefusedError(too_long(_WINDOW, tokens, 0))


def embeddings_body(request: EmbeddingRequest, tokens: int) -> bytes:
    """The answer to a request whose texts have `tokens` tokens."""
    vectors = [_vector(text) for text in request.texts]
    data = [
        {"object": "embedding", "index": index, "embedding": _written(vector, in_base64=request.in_base64)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps({"object": "list", "data": data, "model": request.model, "usage": usage})


def _vector(text: str) -> "array[float]":
    """A vector of length 1, from the text's features by the hashing trick (Weinberger et al., 2009)."""
    vector = array("f", bytes(4 * _DIMENSIONS))
    for feature, weight in features(text).items():
        for place in range(_PLACES):
            drawn = crc32(f"{place}{feature}".encode("utf-8", "replace"))
            vector[drawn % _DIMENSIONS] += weight if drawn & (1 << 20) else -weight
    length = math.hypot(*vector)
    return array("f", (one / length for one in vector) if length else [1 / math.sqrt(_DIMENSIONS)] * _DIMENSIONS)


def _written(vector: "array[float]", *, in_base64: bool) -> Any:
    return b64encode(vector.tobytes()).decode() if in_base64 else [round(one, 8) for one in vector]
