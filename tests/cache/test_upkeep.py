"""Users can inspect and clear the answer cache, even if it is damaged."""

from pathlib import Path

import pytest

from llmbatch.cache import clear_store, store_figures
from llmbatch.core.errors import UsageError

DAMAGED = b"not a database, by any means" * 100


def test_without_a_store_there_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    assert (store_figures(path).answers, clear_store(path)) == (0, 0)
    assert not path.exists()


def test_a_damaged_store_is_reported_and_can_be_cleared(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(DAMAGED)
    with pytest.raises(UsageError, match="not a database"):
        store_figures(path)
    assert clear_store(path) is None
    assert not path.exists()


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "thesis.doc"
    path.write_bytes(DAMAGED)
    with pytest.raises(UsageError, match="left alone"):
        clear_store(path)
    assert path.read_bytes() == DAMAGED
