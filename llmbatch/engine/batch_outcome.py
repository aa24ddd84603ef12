"""Turns a line of a batch's result files into a row's outcome, judged like any other response."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import orjson
from msgspec import structs

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.money import NOTHING
from llmbatch.core.rows import Row
from llmbatch.core.service_tiers import BATCH
from llmbatch.engine.budget.bill import Biller
from llmbatch.engine.outcome import OutcomeReader
from llmbatch.engine.row_state import RowState
from llmbatch.provider.dialect import Dialect
from llmbatch.provider.failures import Action, Billed, Failure, RequestFailedError
from llmbatch.provider.response import Response, read_response
from llmbatch.provider.shape import RequestShape
from llmbatch.task.candidates import NO_SHORTLIST

_EXPIRED = frozenset({"batch_expired", "batch_cancelled", "expired", "cancelled", "canceled"})


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A line without an outcome: the row is pending again."""

    is_unsent: bool
    """Whether the batch ended before the row's turn; else the failure is transient."""
    failure: Failure

    @property
    def is_refused(self) -> bool:
        """Whether all rows are refused the same way: because of a parameter, a key, a quota."""
        return self.failure.action in (Action.ADAPT, Action.STOP)

    @property
    def may_be_billed(self) -> bool:
        """Whether there is an unreadable answer, without usage. Others cost nothing."""
        return self.failure.status == HTTPStatus.OK and self.failure.billed is not Billed.NO


@dataclass(frozen=True, slots=True)
class Unusable:
    """A paid but unusable answer; re-asking may give a usable one."""

    line: LedgerLine
    """Its outcome if the row is not sent again."""


@dataclass(frozen=True, slots=True)
class BatchReader:
    """Reads the result lines of one plan's batches."""

    reader: OutcomeReader
    biller: Biller
    dialect: Dialect
    shape: RequestShape

    def outcome(
        self, sent: "SentInBatch", result: Mapping[str, Any], *, was_accepted: bool
    ) -> LedgerLine | Unanswered | Unusable:
        """The outcome of a row.

        Args:
            sent: the row's request.
            result: the result line.
            was_accepted: whether others of its batch were answered, so that a refusal is this row's own.
        """
        state, batch = sent.state, sent.batch
        try:
            completion = structs.replace(read_response(_response(result), self.dialect), service_tier=BATCH)
        except RequestFailedError as error:
            failure = error.failure
            if was_accepted or failure.action is Action.STOP:
                failure = failure.once_working or failure
            if failure.action not in (Action.FAIL, Action.REASK):
                return Unanswered(failure.kind in _EXPIRED, failure)
            return self.failed(state, failure, batch)
        state.completion = self.biller.bounded(completion, sent.size, self.shape)
        self.biller.charge(state.bill, state.completion, sent.at_most_nanousd, asked_tier=BATCH)
        try:
            answer = self.reader.answer(completion, NO_SHORTLIST)
        except RequestFailedError as error:
            line = self.failed(state, error.failure, batch)
            return Unusable(line) if error.failure.action is Action.REASK else line
        return _of_batch(self.reader.labelled(state, answer), batch)

    def failed(self, state: RowState, failure: Failure, batch: str) -> LedgerLine:
        """The line of a row that has no label."""
        return _of_batch(self.reader.failed(state, failure), batch)


@dataclass(frozen=True, slots=True)
class SentInBatch:
    """A row's request in a batch."""

    row: Row
    """The row; only place and flags matter."""
    key: str
    batch: str
    """The batch's id."""
    sent_at: datetime
    """When it was submitted: its cost belongs to that day."""
    size: int
    """Bytes of the request."""
    at_most_nanousd: int
    """The amount reserved for it."""

    @property
    def state(self) -> RowState:
        """The row, sent once."""
        state = RowState(self.row, self.key, started_at=self.sent_at)
        state.attempts.sends = 1
        return state


def _response(result: Mapping[str, Any]) -> Response:
    """The response in a result line.

    Raises:
        RequestFailedError: there is none.
    """
    response, error = result.get("response"), result.get("error")
    if isinstance(response, dict) and isinstance(status := response.get("status_code"), int) and status:
        body, request_id = response.get("body"), response.get("request_id")
        raw = body.encode("utf-8", "replace") if isinstance(body, str) else orjson.dumps(body)
        return Response(status, {"x-request-id": request_id} if isinstance(request_id, str) else {}, raw)
    code = error.get("code") if isinstance(error, dict) else None
    if code in _EXPIRED:
        raise RequestFailedError(Failure(str(code), Action.RETRY, "the batch ended before the row was answered"))
    detail = error.get("message") if isinstance(error, dict) else None
    message = "the batch has neither a response nor an error for this row"
    if detail:
        message = f"the batch has no response for this row: {detail}"
    raise RequestFailedError(Failure("batch_line", Action.RETRY, message, status=HTTPStatus.OK, code=_code(code)))


def _code(code: Any) -> str | None:
    return code if isinstance(code, str) else None


def _of_batch(line: LedgerLine, batch: str) -> LedgerLine:
    return structs.replace(line, source="batch", batch=batch, latency_s=NOTHING)
