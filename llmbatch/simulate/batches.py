"""Batches of the offline endpoint: a file of requests is validated, answered line by line, and ends.

A batch advances whenever it is requested, so a test need not wait.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from llmbatch.simulate import batch_faults as kinds
from llmbatch.simulate.fault import Fault
from llmbatch.simulate.files import StoredFile
from llmbatch.tokens import count_tokens

MOST_LINES = 50_000
"""Requests in a batch (OpenAI, "Batch API")."""
ENDPOINTS = frozenset({"/v1/chat/completions", "/chat/completions"})
"""The endpoint that a batch may use; the second one is Azure's name for it."""
FINAL = frozenset({"failed", "completed", "expired", "cancelled"})
_DAY_S = 86_400


@dataclass(slots=True)
class Batch:
    """One batch and its state."""

    id: str
    input_file: StoredFile
    endpoint: str
    completion_window: str
    metadata: Mapping[str, str] | None
    entered_s: float
    """When it was created, by the endpoint's clock."""
    faults: Mapping[str, Fault]
    """Faults that affect it as a whole."""
    lines: tuple["Line", ...] = ()
    status: str = "validating"
    tokens: int = 0
    """Prompt tokens of its lines, as a limit counts them; 0 without a limit."""
    errors: list[dict[str, Any]] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=dict)
    """When it entered each status, Unix time."""
    asked: int = 0
    """Lines answered so far."""
    output: list[bytes] = field(default_factory=list)
    error_output: list[bytes] = field(default_factory=list)
    completed: int = 0
    failed: int = 0
    usage: Counter[str] = field(default_factory=Counter)
    """Token counts of the answers so far, by name."""
    output_file_id: str | None = None
    error_file_id: str | None = None
    polls: int = 0
    """How often it was requested since it ended."""

    @property
    def is_final(self) -> bool:
        """Whether it no longer changes."""
        return self.status in FINAL

    def reach(self, status: str) -> None:
        """Enter a status."""
        self.status = status
        self.times[status] = int(time.time())

    def end(self, code: str) -> None:
        """Give unanswered lines their error."""
        for line in self.lines[self.asked :]:
            error = {"code": code, "message": _ENDED[code]}
            self.error_output.append(line.result(None, error))

    def as_json(self) -> dict[str, Any]:
        """OpenAI's batch object; with the corresponding fault, in the form of other endpoints."""
        batch = self._as_json()
        if kinds.USAGE_MORE in self.faults:
            batch["usage"]["output_tokens"] = batch["usage"]["output_tokens"] * 11 // 10
        if kinds.OTHER_WORDS in self.faults:
            batch["status"] = batch["status"].upper().replace("LL", "L")
            for name in ("created_at", "expires_at"):
                batch[name] = datetime.fromtimestamp(batch[name], UTC).isoformat().replace("+00:00", "Z")
        return batch

    def _as_json(self) -> dict[str, Any]:
        late = self.faults.get(kinds.OUTPUT_LATE)
        is_late = late is not None and self.polls <= late.parameters["polls"]
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file.id,
            "completion_window": self.completion_window,
            "status": self.status,
            "output_file_id": None if is_late else self.output_file_id,
            "error_file_id": None if is_late else self.error_file_id,
            "created_at": self.times["created"],
            "expires_at": self.times["created"] + _DAY_S,
            **{f"{status}_at": self.times.get(status) for status in _TIMES},
            "request_counts": {"total": len(self.lines), "completed": self.completed, "failed": self.failed},
            "usage": {
                "input_tokens": self.usage["prompt_tokens"],
                "input_tokens_details": {"cached_tokens": self.usage["cached_tokens"]},
                "output_tokens": self.usage["completion_tokens"],
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": self.usage["prompt_tokens"] + self.usage["completion_tokens"],
            },
            "metadata": None if kinds.NO_METADATA in self.faults else self.metadata,
        }


_TIMES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
_ENDED = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "This request was not executed because the batch was cancelled.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One request of a batch."""

    custom_id: str
    model: str
    body: bytes

    def result(self, response: dict[str, Any] | None, error: dict[str, Any] | None) -> bytes:
        """Its line in an output or error file."""
        id_ = f"batch_req_{blake2b(self.custom_id.encode(), digest_size=12).hexdigest()}"
        return orjson.dumps({"id": id_, "custom_id": self.custom_id, "response": response, "error": error})


class InvalidFileError(Exception):
    """The file of a batch cannot be used, so the batch fails."""

    def __init__(self, code: str, message: str, line: int | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "line": line, "param": param}


def read_lines(content: bytes, endpoint: str) -> tuple[Line, ...]:
    """The requests of a file.

    Raises:
        InvalidFileError: with OpenAI's and Azure's messages.
    """
    raw = content.splitlines()
    if not raw:
        raise InvalidFileError("empty_file", "The input file is empty.")
    if len(raw) > MOST_LINES:
        message = f"The batch input file contains more requests than the maximum limit of {MOST_LINES}."
        raise InvalidFileError("too_many_tasks", message)
    lines = tuple(_line(number, text, endpoint) for number, text in enumerate(raw, start=1))
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if line.custom_id in seen:
            message = f"The custom_id for this request is a duplicate of another request: {line.custom_id}."
            raise InvalidFileError("duplicate_custom_id", message, number, "custom_id")
        seen.add(line.custom_id)
        if line.model != lines[0].model:
            message = "The provided model does not match the model of the other requests in the file."
            raise InvalidFileError("model_mismatch", message, number, "body.model")
    return lines


def _line(number: int, text: bytes, endpoint: str) -> Line:
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidFileError("invalid_json_line", "This line is not parseable as valid JSON.", number) from None
    if not isinstance(data, dict) or not isinstance(data.get("custom_id"), str):
        raise InvalidFileError("missing_required_parameter", "Missing 'custom_id'.", number, "custom_id")
    if data.get("method") != "POST":
        raise InvalidFileError("invalid_method", "The method must be POST.", number, "method")
    if data.get("url") != endpoint:
        message = "The URL provided for this request does not match the prefix of the batch endpoint."
        raise InvalidFileError("mismatched_endpoint", message, number, "url")
    body = data.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise InvalidFileError("missing_required_parameter", "Missing 'body.model'.", number, "body.model")
    return Line(data["custom_id"], body["model"], orjson.dumps(body))


def prompt_tokens(lines: tuple[Line, ...]) -> int:
    """Tokens of all messages, approximately as a limit counts them."""
    return sum(count_tokens(text) for line in lines for text in _texts(orjson.loads(line.body)))


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else (content,):
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                yield text


def output_order(lines: list[bytes]) -> bytes:
    """The lines of a file in another order, since no provider guarantees one."""
    return b"".join(line + b"\n" for line in sorted(lines, key=lambda line: blake2b(line, digest_size=8).digest()))
