"""One line of the ledger: what became of a row, what it took, and what it cost."""

import json
import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import orjson

from llmbatch.jsonlines import dump_line
from llmbatch.money import to_nusd, to_usd
from llmbatch.prices import Usage
from llmbatch.rows import RowId

OK, REVIEW, FAILED = "ok", "review", "failed"
CONTROL, CANARY, ESCALATION = "control", "canary", "escalation"
"""Arms: the run's own prompt and model, those on trial, and the stronger model that doubtful rows are asked of."""


@dataclass(frozen=True, slots=True)
class Retry:
    """One attempt that was not the last: why it was repeated, and after how long."""

    error: str
    status: int | None
    code: str | None
    waited_s: float
    after_s: float = 0.0
    """When it had failed, seconds from the row's first send."""


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row failed. `kind` is the failure's name; `message` is redacted."""

    kind: str
    code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A row's final outcome, once for each time that it was worked on. Field names as docs/formats.md gives them."""

    row: int
    id: RowId
    key: str
    status: str
    prompt: str
    model: str
    started_at: str
    category: str | None = None
    confidence: float | None = None
    """Calibrated, where there was a calibration when the line was written."""
    confidence_raw: float | None = None
    """As the model gave it."""
    confidence_from: str = "reported"
    """What it is: the model's own word, or its `logprobs`."""
    runner_up: str | None = None
    """The next likely label, where log-probabilities tell it."""
    reasoning: str | None = None
    arm: str = CONTROL
    response_model: str | None = None
    system_fingerprint: str | None = None
    """The provider's own mark of what answered."""
    request_id: str | None = None
    finish_reason: str | None = None
    attempts: int = 0
    retries: tuple[Retry, ...] = ()
    parse: str | None = None
    usage: Usage = field(default_factory=Usage)
    cost_nusd: int | None = 0
    """All billed attempts, nano-dollars; None where the price is unknown."""
    possibly_billed_nusd: int = 0
    """Upper bound of what attempts with an unknown outcome may have cost on top."""
    possibly_billed_attempts: int = 0
    latency_s: float = 0.0
    source: str = "api"
    reused_from: str | None = None
    """The run that asked, where that was another one."""
    saved_nusd: int = 0
    """What a reused answer cost when it was asked for, nano-dollars."""
    flags: tuple[str, ...] = ()
    answer: str | None = None
    """The raw answer, where it could not be read as it stood."""
    error: RowError | None = None

    def reviewed(self, review_below: float) -> "LedgerLine":
        """A labelled row's line with the status that its confidence gives it."""
        under = self.confidence is not None and self.confidence < review_below
        return replace(self, status=REVIEW if under else OK)

    def to_bytes(self) -> bytes:
        """The line as it stands in the file, newline included."""
        data: dict[str, Any] = {
            "row": self.row,
            "id": self.id,
            "key": self.key,
            "status": self.status,
            "category": self.category,
            "confidence": self.confidence,
            "confidence_raw": self.confidence_raw,
            "confidence_from": self.confidence_from,
            "runner_up": self.runner_up,
            "reasoning": self.reasoning,
            "arm": self.arm,
            "prompt": self.prompt,
            "model": self.model,
            "response_model": self.response_model,
            "system_fingerprint": self.system_fingerprint,
            "request_id": self.request_id,
            "finish_reason": self.finish_reason,
            "attempts": self.attempts,
            "retries": [asdict(retry) for retry in self.retries],
            "parse": self.parse,
            "input_tokens": self.usage.input_tokens,
            "cached_input_tokens": self.usage.cached_input_tokens,
            "cache_write_tokens": self.usage.cache_write_tokens,
            "output_tokens": self.usage.output_tokens,
            "reasoning_tokens": self.usage.reasoning_tokens,
            "cost_usd": None if self.cost_nusd is None else to_usd(self.cost_nusd),
            "possibly_billed_usd": to_usd(self.possibly_billed_nusd),
            "possibly_billed_attempts": self.possibly_billed_attempts,
            "latency_s": round(self.latency_s, 6),
            "started_at": self.started_at,
            "source": self.source,
            "reused_from": self.reused_from,
            "saved_usd": to_usd(self.saved_nusd),
            "flags": self.flags,
            "answer": self.answer,
            "error": None if self.error is None else asdict(self.error),
        }
        return dump_line(data)

    @classmethod
    def from_bytes(cls, raw: bytes) -> "LedgerLine":
        """Read a line back.

        Raises:
            ValueError: it is not a line of a ledger; the message says why.
        """
        data = orjson.loads(raw)
        if not isinstance(data, dict):
            raise ValueError("not an object")  # noqa: TRY004 - to its reader a line is good or bad
        missing = _REQUIRED - data.keys()
        if missing:
            raise ValueError(f"no {', '.join(sorted(missing))} in it")
        if data["status"] not in (OK, REVIEW, FAILED) or not _is_key(data["key"]):
            raise ValueError("its status or key is not one")
        known: dict[str, Any] = {name: data[name] for name in _PLAIN if name in data}
        if isinstance(data["id"], float) and abs(data["id"]) >= _BEYOND_64_BITS:
            known["id"] = json.loads(raw)["id"]  # it may be an integer, which the quick decoder made a float of
        known.setdefault("confidence_raw", known.get("confidence"))  # older lines have the model's own, uncalibrated
        error, cost = data.get("error"), data.get("cost_usd")
        return cls(
            **known,
            retries=tuple(Retry(**retry) for retry in data.get("retries", ())),
            usage=Usage(*(data.get(name, 0) for name in _USAGE)),
            cost_nusd=None if cost is None else to_nusd(cost),
            possibly_billed_nusd=to_nusd(data.get("possibly_billed_usd", 0)),
            saved_nusd=to_nusd(data.get("saved_usd", 0)),
            flags=tuple(data.get("flags", ())),
            error=None if error is None else RowError(**error),
        )


_COMPOSED = {"retries", "usage", "cost_nusd", "possibly_billed_nusd", "saved_nusd", "flags", "error"}
_PLAIN = tuple(f.name for f in fields(LedgerLine) if f.name not in _COMPOSED)
_REQUIRED = {"row", "id", "key", "status", "prompt", "model", "started_at"}
_USAGE = tuple(f.name for f in fields(Usage))
_KEY = re.compile("[0-9a-f]{32}")
_BEYOND_64_BITS = 2.0**63


def _is_key(key: object) -> bool:
    return isinstance(key, str) and _KEY.fullmatch(key) is not None
