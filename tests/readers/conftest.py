"""Real files to read: `read` writes one and gives the rows that come out of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, read_rows, resolve_inputs

Read = Callable[..., list[Row | Rejection]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def written_and_read(content: bytes | str, name: str = "in.jsonl", **options: Any) -> list[Row | Rejection]:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        reading = ReaderOptions(**options)
        return list(read_rows(resolve_inputs([str(path)], reading), reading))

    return written_and_read
