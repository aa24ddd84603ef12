"""One line of the ledger: a row's outcome, usage and cost."""

import re
from collections.abc import Callable, Container
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder, Encoder

from llmbatch.core.checksum import HEAD, LEDGER_FORMAT
from llmbatch.core.exact_numbers import Number
from llmbatch.core.money import NOTHING, to_nanousd
from llmbatch.core.rows import RowId
from llmbatch.core.usage import UsageTotals

Status = Literal["ok", "review", "failed"]
"""A line is written as `ok` or `failed`. Whether a labelled row needs review is decided when it is shown, by the
current threshold; `review` occurs in lines of earlier versions, and counts as `ok`."""
OK: Status = "ok"
REVIEW: Status = "review"
FAILED: Status = "failed"
CONTROL, CANARY, ESCALATION, JURY = "control", "canary", "escalation", "jury"
"""Arms: the run's own prompt and model, a canary's, the stronger model for low-confidence rows, and the models that
vote on them."""
VOTES: Literal["votes"] = "votes"
"""Confidence kind of a row whose label was voted on."""

NONE_FITS = "none_fits"
"""Row flag: the model chose none of the labels retrieved for it. The row gets the most likely one and is in review."""
ABOVE_BOUND = "cost_above_bound"
"""Row flag: an answer cost more than was reserved for its request."""


_Count = Annotated[int, Meta(ge=0)]
_Amount = Annotated[float, Meta(ge=0)]
_Share = Annotated[float, Meta(ge=0, le=1)]


INTERRUPTED = "interrupted"
"""Error kind of a row abandoned when the run stopped: it has cost something, and is pending."""


class Retry(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One attempt that was not the last: why it was retried, and after how long."""

    error: str
    status: int | None
    code: str | None
    waited_s: _Amount
    after_s: _Amount = 0.0
    """When it failed, in seconds from the row's first send."""


class Vote(Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """One answer to a row that was voted on. Its tokens and cost are in a separate line."""

    model: str
    prompt: str
    category: str
    confidence: _Share
    """As given by the model."""
    confidence_from: str = "reported"
    confidences: dict[str, _Share] | None = None
    reasoning: str | None = None
    none_fits: bool = False
    """Whether the model chose none of the retrieved labels; `category` is then only the most likely one."""


class RowError(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Why a row failed. `kind` is the failure kind; `message` is redacted."""

    kind: str
    code: str | None
    message: str


class LedgerLine(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="format",
    tag=LEDGER_FORMAT,
):
    """A row's final outcome, once for each time it was processed.

    Fields have the names and the order used in the file (docs/reference/formats.md), so a line is parsed and every
    value's type and bounds are checked in one step: a million lines take seconds. Fields with their default value are
    omitted, and values shared by many lines are not repeated (runs/ledger/lines.py).
    """

    row: _Count
    id: RowId
    key: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    status: Status
    category: str | None = None
    confidence: _Share | None = None
    """Calibrated, if there was a calibration when the line was written."""
    confidence_raw: _Share | None = None
    """As given by the model, if that differs; see `raw_confidence`."""
    confidences: dict[str, _Share] | None = None
    """By field, and by `field=label` for multi-label fields, as given by the model."""
    ranking: dict[str, tuple[_Count, ...]] | None = None
    """By field, labels by their positions among the field's labels, most likely first, if ranked by embeddings."""
    runner_up: str | None = None
    """The second most likely label, by log-probabilities."""
    reasoning: str | None = None
    arm: str = CONTROL
    source: str = "api"
    """`api`, `batch` or `reused`."""
    request_id: str | None = None
    retries: tuple[Retry, ...] = ()
    input_tokens: _Count = 0
    cache_write_tokens: _Count = 0
    output_tokens: _Count = 0
    reasoning_tokens: _Count = 0
    cache_unreported_tokens: _Count = 0
    """Input tokens of answers that do not report how many were cached."""
    cost_usd: _Amount | None = 0.0
    """Cost of all billed attempts; None if the price is unknown."""
    possibly_billed_usd: _Amount = NOTHING
    """Upper bound of the additional cost of attempts with an unknown outcome."""
    possibly_billed_attempts: _Count = 0
    saved_usd: _Amount = NOTHING
    """The original cost of a reused answer."""
    flags: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()
    """If the row went to the jury: the first answer and the jury's answers so far."""
    answer: str | None = None
    """The raw answer, if it could not be parsed directly."""
    error: RowError | None = None
    latency_s: _Amount = NOTHING
    started_at: str
    # Most rows of a run have the same values in the following fields.
    prompt: str
    model: str
    response_model: str | None = None
    system_fingerprint: str | None = None
    """The provider's identifier of the system that answered."""
    service_tier: str | None = None
    """The tier that served the last answer, as reported in it; that tier's price applies."""
    finish_reason: str | None = None
    attempts: _Count = 0
    shared_attempts: _Count = 0
    """Attempts counted by another row, because the request was about several rows."""
    rows_in_request: _Count = 1
    """Number of rows in the request that was answered."""
    parse: str | None = None
    cached_input_tokens: _Count = 0
    """The cached part is the start of the prompt, which has the same length for most rows."""
    confidence_from: str = "reported"
    """Source of the confidence: `reported` (stated by the model), `logprobs`, or `votes`."""
    batch: str | None = None
    """The batch in which it was answered."""
    reused_from: str | None = None
    """The run that sent the request, if it was another one."""

    @property
    def raw_confidence(self) -> float | None:
        """The confidence as given by the model."""
        return self.confidence if self.confidence_raw is None else self.confidence_raw

    @property
    def judges(self) -> tuple[str, str]:
        """The prompt (its fingerprint) and the model that the confidence comes from; for votes, all models that voted.

        Until all models have voted, a line with votes has the first answer's confidence.
        """
        if not self.votes:
            return self.prompt, self.model
        if self.confidence_from != VOTES:
            return self.votes[0].prompt, self.votes[0].model
        first, *others = self.votes
        return first.prompt, "+".join((first.model, *sorted(vote.model for vote in others)))

    @property
    def totals(self) -> UsageTotals:
        """Tokens and money of all its answers, as the totals of one row."""
        cost_nanousd = self.cost_nanousd
        return UsageTotals(
            rows=1,
            requests=self.attempts - self.shared_attempts,
            input_tokens=self.input_tokens,
            cached_input_tokens=self.cached_input_tokens,
            cache_write_tokens=self.cache_write_tokens,
            output_tokens=self.output_tokens,
            reasoning_tokens=self.reasoning_tokens,
            priced_nanousd=cost_nanousd or 0,
            unpriced_rows=int(cost_nanousd is None),
            possibly_billed_nanousd=to_nanousd(self.possibly_billed_usd),
            possibly_billed_requests=self.possibly_billed_attempts,
            cache_unreported_tokens=self.cache_unreported_tokens,
            saved_nanousd=to_nanousd(self.saved_usd),
            labelled=int(self.status != FAILED and self.arm not in (ESCALATION, JURY)),
            billed_rows=int(self.input_tokens > 0),
        )

    @property
    def cost_nanousd(self) -> int | None:
        """`cost_usd` in nano-dollars."""
        return None if self.cost_usd is None else to_nanousd(self.cost_usd)

    @property
    def possibly_billed_nanousd(self) -> int:
        """`possibly_billed_usd` in nano-dollars."""
        return to_nanousd(self.possibly_billed_usd)

    @property
    def saved_nanousd(self) -> int:
        """`saved_usd` in nano-dollars."""
        return to_nanousd(self.saved_usd)

    @property
    def is_abandoned(self) -> bool:
        """Whether the run stopped before the row had an outcome."""
        return self.error is not None and self.error.kind == INTERRUPTED

    def can_be(self, labels: Container[str] | None) -> bool:
        """Whether this can be a row's outcome: one of these labels (None for any), or a failure with its error.

        This check is used wherever lines become results.
        """
        if self.status == FAILED:
            return self.error is not None
        return labels is None or self.category in labels

    def to_record(self) -> bytes:
        """The line as one self-contained JSON object, without seal or newline."""
        return _ENCODER.encode(self)

    @classmethod
    def from_record(cls, record: bytes) -> "LedgerLine":
        """Parse a self-contained record written by this version or an earlier one.

        Raises:
            ValueError: it is not a line of a ledger; the message says why.
        """
        if record.startswith(HEAD):
            record = b"{" + record[len(HEAD) :]
        return _DECODER.decode(record)


_KEY = b'"key":"'
_KEY_DIGITS = 32


def key_in(raw: bytes) -> str | None:
    """The key of a raw line, without parsing all of it; None if not found.

    No string before it can contain these bytes, since a quotation mark within a JSON string is escaped.
    """
    start = raw.find(_KEY)
    if start < 0:
        return None
    key = raw[start + len(_KEY) : start + len(_KEY) + _KEY_DIGITS]
    return key.decode("ascii", "replace") if len(key) == _KEY_DIGITS and _HEX.fullmatch(key) else None


_HEX = re.compile(rb"[0-9a-f]*")


def _exact(value: object) -> Raw:
    """An id exactly as in the input."""
    if isinstance(value, Number):
        return Raw(value.literal.encode())
    raise TypeError(f"{type(value).__name__} is no JSON")


_ENCODER = Encoder(enc_hook=_exact)
_DECODER = Decoder(LedgerLine)


Reread = Callable[[LedgerLine], LedgerLine]
"""Converts a line to the form in which it is reported or looked up."""


def as_written(line: LedgerLine) -> LedgerLine:
    """The line itself."""
    return line
