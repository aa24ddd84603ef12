from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def task_file(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Write a task file and return its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "mine.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
