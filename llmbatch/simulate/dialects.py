"""The providers and servers that the offline endpoint can imitate: reads and applies `dialects.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.simulate.reply import Reply, retry_headers

_TABLE = Path(__file__).with_name("dialects.toml")
_FIRST_ERROR = 400


@dataclass(frozen=True, slots=True)
class LimitForm:
    """How one rate limit is stated in headers."""

    kind: Literal["requests", "tokens"]
    header: str
    """A header's name, with `<field>` for limit, remaining and reset."""
    limit: int
    per_s: float
    reset: str = ""
    """The form of a reset; empty if none is stated."""
    fixed: bool = False
    """Whether it restarts in each window; otherwise it refills."""


@dataclass(frozen=True, slots=True)
class ErrorForm:
    """A refusal in a provider's own words."""

    status: int
    body: Any = None
    """JSON data with placeholders."""
    text: str = ""
    """Plain text instead of JSON."""
    retry: tuple[str, ...] = ()
    """Names of the headers that state a wait."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an endpoint differs from OpenAI's. The fields are described in `dialects.toml`."""

    name: str
    maker: str
    source: str
    models: tuple[str, ...] = ()
    model: Mapping[str, Any] = field(default_factory=dict)
    window: int | None = None
    finish: Mapping[str, str] = field(default_factory=dict)
    thinking: str = ""
    cached: str | None = None
    """None if they are in `prompt_tokens_details`."""
    refuses: frozenset[str] = frozenset()
    ignores_unknown: bool = False
    strict: bool = False
    tiers: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[LimitForm, ...] | None = None
    """None for OpenAI's own headers."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: Any = None
    errors: Mapping[str, ErrorForm] = field(default_factory=dict)

    def in_its_words(self, reply: Reply, facts: Mapping[str, Any]) -> Reply:
        """A refusal as this provider words it; a reply without words here, or that is not JSON, is unchanged.

        Args:
            reply: as OpenAI words it, with its `kind`.
            facts: values for the placeholders.
        """
        form = self.errors.get(reply.kind)
        if form is not None:
            filled = {**facts, **reply.facts}
            headers = retry_headers(float(filled["wait_s"])) if form.retry and "wait_s" in filled else {}
            kept = {name: value for name, value in headers.items() if name in form.retry}
            if form.body is None:
                return Reply(form.status, form.text.encode(), kept, "text/plain")
            return Reply(form.status, orjson.dumps(_filled(form.body, filled)), kept)
        if self.error is None or reply.status < _FIRST_ERROR or reply.content_type != "application/json":
            return reply
        message = orjson.loads(reply.body)["error"]["message"]
        body = _filled(self.error, {"message": message, "status": reply.status})
        return replace(reply, body=orjson.dumps(body))

    def shaped(self, completion: dict[str, Any], thinking: str, place: str) -> dict[str, Any]:
        """A completion as this provider sends it.

        Args:
            completion: as OpenAI sends it.
            thinking: the model's thinking; empty if there is none.
            place: where to put it.
        """
        choice = completion["choices"][0]
        choice["finish_reason"] = self.finish.get(choice["finish_reason"], choice["finish_reason"])
        message = choice["message"]
        if thinking:
            _put_thinking(message, thinking, place)
        if self.cached is not None and (usage := completion.get("usage")) is not None:
            details = usage.pop("prompt_tokens_details")
            if self.cached:
                usage[self.cached] = details["cached_tokens"]
        if not self.tiers:
            completion.pop("service_tier", None)
        return {**completion, **self.answer}

    def listed(self, name: str, window: int | None) -> dict[str, Any]:
        """An entry of the list of models."""
        entry = {"id": name, "object": "model", "created": 0, "owned_by": "offline"}
        more: dict[str, Any] = _filled(dict(self.model), {"window": window or self.window})
        return entry | more


def dialect_names() -> tuple[str, ...]:
    """All dialects, OpenAI's own first."""
    return tuple(_tables())


@cache
def dialect_of(name: str) -> Dialect:
    """A dialect by name.

    Raises:
        UsageError: there is none.
    """
    row = _tables().get(name)
    if row is None:
        raise UsageError(f"unknown dialect {name!r}", hint=f"dialects: {', '.join(dialect_names())}")
    read = dict(row)
    for key in ("model", "answer", "error"):
        if key in read:
            read[key] = orjson.loads(read[key])
    for key in ("models", "tiers"):
        read[key] = tuple(read.get(key, ()))
    read["refuses"] = frozenset(read.get("refuses", ()))
    if "limits" in read:
        read["limits"] = tuple(LimitForm(**limit) for limit in read["limits"])
    read["errors"] = {kind: _error_form(form) for kind, form in read.get("errors", {}).items()}
    return Dialect(name=name, **read)


def _error_form(form: Mapping[str, Any]) -> ErrorForm:
    body = orjson.loads(form["body"]) if "body" in form else None
    return ErrorForm(form["status"], body, form.get("text", ""), tuple(form.get("retry", ())))


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def _filled(data: Any, facts: Mapping[str, Any]) -> Any:
    """JSON data with placeholders filled in; a string that is only a placeholder becomes the value, even a number."""
    if isinstance(data, dict):
        return {key: _filled(value, facts) for key, value in data.items()}
    if isinstance(data, list):
        return [_filled(value, facts) for value in data]
    if not isinstance(data, str):
        return data
    if data.startswith("<") and data.endswith(">") and data[1:-1] in facts:
        return facts[data[1:-1]]
    for name, fact in facts.items():
        data = data.replace(f"<{name}>", str(fact))
    return data


def _put_thinking(message: dict[str, Any], thinking: str, place: str) -> None:
    match place:
        case "tags":
            message["content"] = f"<think>{thinking}</think>\n{message['content']}"
        case "parts":
            message["content"] = [
                {"type": "thinking", "thinking": [{"type": "text", "text": thinking}]},
                {"type": "text", "text": message["content"]},
            ]
        case _:
            message[place] = thinking
