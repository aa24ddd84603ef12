"""Batches from Python: a call submits, a later one collects."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch import classify, errors
from tests.e2e.conftest import StartEndpoint

TEXTS = ["The server crashed.", "Revenue rose.", "The clause is void."]


def test_a_call_submits_and_a_later_one_collects(tmp_path: Path, endpoint: StartEndpoint) -> None:
    served = endpoint()
    options: dict[str, Any] = {
        "base_url": served.url, "out": tmp_path / "run", "batch": True, "model": "gpt-4o-mini", "spend_store": "off"
    }  # fmt: skip
    with pytest.raises(errors.RunStopped, match="3 rows in 1 part are at the provider") as stopped:
        classify(TEXTS, **options)
    assert stopped.value.exit_code == 7
    run = classify(TEXTS, **options)
    assert run.ok
    assert [result.category for result in run] == ["technical", "business", "legal"]
    assert served.requests == 3


@pytest.mark.parametrize("way", ["batch", "cheapest"])
def test_a_batch_to_collect_later_needs_a_folder(endpoint: StartEndpoint, way: Any) -> None:
    served = endpoint()
    options: dict[str, Any] = {"base_url": served.url, way: True}
    with pytest.raises(errors.UsageError, match="need out="):
        classify(TEXTS, **options)
    assert served.stats["files"] == 0
