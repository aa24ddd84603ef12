"""Builds request bodies as bytes. The prefix is encoded once per shape, not once per row."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from llmbatch.core.models import OutputMode
from llmbatch.provider.shape import RequestShape
from llmbatch.task.fence import build_document

_TOP_LOGPROBS = 5
"""Number of alternative tokens requested; some vendors reject more than five."""

# A placeholder document, at which the body is split.
_PLACEHOLDER = "\x00document\x00"


@dataclass(frozen=True, slots=True)
class Question:
    """What all requests of a plan have in common: the model, the stable prefix, and the answer schema."""

    model: str
    prefix: str
    schema: dict[str, Any]

    def listing(self, labels: str, choices: Mapping[str, Collection[str]]) -> "Question":
        """The same question with a list of labels, if any, at the end of the prefix, and a schema of these choices.

        `choices` are by field. They limit fields with one label: only those are searched again, with a shorter list.
        """
        properties = {name: _limited(of, choices.get(name)) for name, of in self.schema["properties"].items()}
        prefix = f"{self.prefix}\n{labels}" if labels else self.prefix
        return replace(self, prefix=prefix, schema={**self.schema, "properties": properties})

    @property
    def cache_key(self) -> str:
        """Identifies the prefix to the provider, so that requests with the same prefix share a cache."""
        return "llmbatch-" + hashlib.blake2b(self.prefix.encode(), digest_size=8).hexdigest()


def _limited(of: dict[str, Any], choices: Collection[str] | None) -> dict[str, Any]:
    """A property's schema, of whose enumeration only the choices are left."""
    if choices is None or "enum" not in of:
        return of
    return {**of, "enum": [one for one in of["enum"] if one in choices]}


def request_body(question: Question, shape: RequestShape, content: str) -> dict[str, Any]:
    """The request as JSON data: the prefix first and alone, then `content` as the last message."""
    body: dict[str, Any] = {
        "model": question.model,
        "messages": _messages(question.prefix, shape, content),
        shape.limit_parameter: shape.max_output_tokens,
    }
    if shape.states_stream:
        body["stream"] = False
    if shape.output is OutputMode.JSON_SCHEMA:
        schema = {"name": "answer", "strict": True, "schema": question.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif shape.output is OutputMode.JSON_OBJECT:
        body["response_format"] = {"type": "json_object"}
    for name in ("temperature", "reasoning_effort", "service_tier"):
        if (wish := getattr(shape, name)) is not None:
            body[name] = wish
    if shape.logprobs:
        body |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    if shape.cache_key:
        body["prompt_cache_key"] = question.cache_key
    if shape.cache_breakpoint:
        body["prompt_cache_options"] = {"mode": "explicit"}
    return body


def _messages(prefix: str, shape: RequestShape, content: str) -> list[dict[str, Any]]:
    if not shape.system_role:
        return [{"role": "user", "content": f"{prefix}\n\n{content}"}]
    return [
        {"role": "system", "content": _marked(prefix) if shape.cache_breakpoint and shape.marks_prefix else prefix},
        {"role": "user", "content": content},
    ]


def _marked(prefix: str) -> list[dict[str, Any]]:
    """The prefix with its end marked for caching. A prefix below the provider's minimum is still not cached."""
    return [{"type": "text", "text": prefix, "prompt_cache_breakpoint": {"mode": "explicit"}}]


MakeBody = Callable[[Question, RequestShape, str], dict[str, Any]]
"""Builds a request's data from the question, its shape, and the last message's content."""


class RequestEncoder:
    """Turns documents into JSON request bodies for one question."""

    def __init__(self, question: Question, make_body: MakeBody = request_body) -> None:
        """`make_body` builds a request's data once per shape, with a placeholder for the document."""
        self._question = question
        self._make_body = make_body
        self._frames: dict[RequestShape, tuple[bytes, bytes]] = {}

    def encode(self, text: str, shape: RequestShape, *, before: str = "") -> bytes:
        """The JSON request body for `text`. Lone surrogates become U+FFFD, since JSON cannot represent them.

        `before` precedes the document in the same message.
        """
        frame = self._frames.get(shape)
        if frame is None:
            frame = self._frames[shape] = self._frame(shape)
        document = before + build_document(text)
        try:
            content = _inside(document)
        except orjson.JSONEncodeError:
            content = _inside(document.encode("utf-8", "replace").decode())
        return b"".join((frame[0], content, frame[1]))

    def _frame(self, shape: RequestShape) -> tuple[bytes, bytes]:
        head, _, tail = orjson.dumps(self._make_body(self._question, shape, _PLACEHOLDER)).partition(
            _inside(_PLACEHOLDER)
        )
        return head, tail


def _inside(text: str) -> bytes:
    """A text encoded for use within a JSON string."""
    return orjson.dumps(text)[1:-1]
