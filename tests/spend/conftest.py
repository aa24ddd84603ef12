"""A store in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbatch.spend.store import SpendStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpendStore]:
    store = SpendStore(tmp_path / "state" / "spend.sqlite3", is_synced=False)  # nobody pulls the plug on a test
    yield store
    store.close()
