"""Decisions to fill logs with."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from llmbatch.runs.decisions import Decision, text_digest

MakeDecision = Callable[..., Decision]


@pytest.fixture
def make_decision() -> MakeDecision:
    def make(row: int = 0, category: str | None = "legal", reviewer: str = "ana", **changes: Any) -> Decision:
        fields: dict[str, Any] = {
            "key": hashlib.blake2b(str(row).encode(), digest_size=16).hexdigest(),
            "text": text_digest(f"text {row}"),
            "row": row,
            "id": f"d-{row}",
            "category": category,
            "reviewer": reviewer,
            "decided_at": "2026-11-25T12:00:00Z",
        }
        return Decision(**{**fields, **changes})

    return make
