"""Lines to fill ledgers with."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from llmbatch.core.ledger_line import OK, LedgerLine

MakeLine = Callable[..., LedgerLine]


@pytest.fixture
def make_line() -> MakeLine:
    def make(row: int = 0, **changes: Any) -> LedgerLine:
        fields: dict[str, Any] = {
            "row": row,
            "id": f"d-{row}",
            "key": hashlib.blake2b(str(row).encode(), digest_size=16).hexdigest(),
            "status": OK,
            "prompt": "p",
            "model": "m",
            "started_at": "2026-11-24T00:00:00.000000Z",
            "category": "a",
            "confidence": 0.75,
            "confidence_raw": 0.75,
        }
        return LedgerLine(**{**fields, **changes})

    return make
