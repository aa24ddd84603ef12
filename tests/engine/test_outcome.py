"""A response gives the same outcome wherever it comes from: no client, no loop, no file."""

import json
from typing import Any

import pytest
from msgspec import structs

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.redact import Redactor
from llmbatch.core.rows import Place, Row
from llmbatch.engine.outcome import OutcomeReader
from llmbatch.engine.row_state import RowState
from llmbatch.provider.dialect import CHAT_COMPLETIONS
from llmbatch.provider.failures import RequestFailedError
from llmbatch.provider.response import Response, read_response
from tests.engine.simulated import PLAN

ROW = Row(7, "d-7", "The server crashed.", Place("docs.jsonl", 8), {"text": "The server crashed."})
KEY = PLAN.key(ROW.text)
READER = OutcomeReader(PLAN, (), redact=Redactor(("sk-secret",)))


def outcome(status: int, body: Any) -> LedgerLine:
    state = RowState(ROW, KEY)
    try:
        state.completion = read_response(
            Response(status, {"x-request-id": "req-1"}, json.dumps(body).encode()), CHAT_COMPLETIONS
        )
        return READER.labelled(state, READER.answer(state.completion, state.shortlist))
    except RequestFailedError as error:
        return READER.failed(state, error.failure)


def completion(content: str, finish_reason: str = "stop") -> dict[str, Any]:
    return {"model": "m", "choices": [{"message": {"content": content}, "finish_reason": finish_reason}]}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, completion('{"category":"technical","percent":92}'), ("ok", "technical", None)),
        (200, completion('{"category":"technical","percent":40}'), ("ok", "technical", None)),
        (200, completion('{"category":"unheard of","percent":92}'), ("failed", None, "invalid")),
        (200, completion('{"category":"tech', "length"), ("failed", None, "truncated")),
        (200, completion("", "content_filter"), ("failed", None, "filtered")),
        (200, {"error": {"message": "overloaded", "code": 503}}, ("failed", None, "overloaded")),
        (200, {"hello": "world"}, ("failed", None, "not_a_completion")),
        (401, {"error": {"message": "wrong key sk-secret"}}, ("failed", None, "credentials")),
        (400, {"error": {"code": "context_length_exceeded", "message": "too long"}}, ("failed", None, "too_long")),
    ],
)
def test_a_response_gives_its_outcome(status: int, body: Any, expected: tuple[str, str | None, str | None]) -> None:
    line = outcome(status, body)
    assert (line.status, line.category, line.error and line.error.kind) == expected
    assert (line.row, line.id, line.key, line.request_id, line.latency_s) == (7, "d-7", KEY, "req-1", 0.0)
    assert "sk-secret" not in line.to_record().decode()
    assert structs.replace(outcome(status, body), started_at=line.started_at) == line
