"""Files of earlier versions give the same totals as they did then, whatever totals are called in the code."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from llmbatch.core.usage import STORED, UsageTotals
from llmbatch.engine.tally import LedgerTotals
from llmbatch.runs.folder import PossiblyBilled
from llmbatch.runs.ledger.checkpoint import load_checkpoint
from llmbatch.session.settlement import actual_spend
from llmbatch.spend.book import REAL
from llmbatch.spend.report import usage_json
from llmbatch.spend.store import SpendStore

DATA = Path(__file__).parent / "data"
SESSION, DAY = "2026-11-26T10:00:00Z-0123456789ab", "2026-11-26"


def test_a_store_keeps_its_totals(tmp_path: Path) -> None:
    path = Path(shutil.copy(DATA / "spend.sqlite3", tmp_path))
    path.chmod(0o600)
    with closing(SpendStore(path)) as store:
        (usage,) = store.sums("day", REAL, "2026-11-25", "2026-11-25").values()
    assert list(usage.stored().values()) == [3, 4, 3900, 3600, 64, 60, 15, 4_000, 1, 1_000, 2, 100]
    assert (usage.priced_nanousd, usage.cost_nanousd, usage.possibly_billed_nanousd) == (4_000, None, 1_000)
    assert usage_json(usage)["cost_usd"] == 0.000004


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(DATA / "run", tmp_path / "run"))
    for file in folder.iterdir():
        file.chmod(0o600)
    return folder


def test_a_killed_session_costs_what_it_sent(run: Path) -> None:
    settlement = actual_spend(SESSION, str(run))
    assert settlement is not None
    (usage,) = settlement.figures.values()
    assert (usage.rows, usage.requests, usage.input_tokens, usage.priced_nanousd) == (3, 4, 3_900, 3 * 53_000)
    assert (usage.possibly_billed_requests, usage.possibly_billed_nanousd) == (2, 100_000 + 70_000)
    assert settlement.total_nanousd == 159_000 + 170_000


def test_a_checkpoint_with_other_totals_is_ignored(run: Path) -> None:
    checkpoint = load_checkpoint(run / "ledger.jsonl")
    assert checkpoint is not None, "its index fits"
    with pytest.raises((ValueError, TypeError)):
        LedgerTotals.restored(checkpoint.sums)


def test_totals_are_read_back_under_their_stored_names() -> None:
    usage = UsageTotals(*range(1, len(STORED) + 1))
    assert tuple(usage.stored()) == STORED
    assert UsageTotals.restored(usage.stored()) == usage
    with pytest.raises(TypeError):
        UsageTotals.restored({"unknown": 1})


def test_a_record_keeps_its_stored_name_for_possibly_billed_amounts() -> None:
    written = {"requests": 2, "at_most_nusd": 170_000}
    billed = PossiblyBilled.model_validate(written)
    assert (billed.at_most_nanousd, billed.model_dump(mode="json")) == (170_000, written)
    assert PossiblyBilled(requests=2, at_most_nanousd=170_000) == billed
