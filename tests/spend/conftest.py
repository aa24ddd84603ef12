"""A store in its own folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbatch.spend.store import SpendStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpendStore]:
    store = SpendStore(tmp_path / "state" / "spend.sqlite3", is_synced=False)  # no power failure in a test
    yield store
    store.close()
