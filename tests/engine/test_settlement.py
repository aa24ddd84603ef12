"""The cost of a killed session is read from its folder, and impossible values are refused."""

from pathlib import Path

from msgspec.structs import replace

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.sent import Sent
from llmbatch.runs.ledger.sent import SentLog
from llmbatch.session.settlement import actual_spend
from tests.ledgers import write_lines

SESSION = "2026-11-25T12:00:00Z-a"
LINE = LedgerLine(
    row=0,
    id=0,
    key="0" * 32,
    status="ok",
    prompt="p",
    model="m",
    started_at="2026-11-25T12:00:01Z",
    attempts=1,
    output_tokens=9,
    cost_usd=7e-9,
)


def killed(folder: Path, line: LedgerLine) -> Path:
    sent = SentLog(folder / "sent.log")
    sent.begin(0, SESSION)
    for key in ("0" * 32, "1" * 32):
        sent.record(Sent(key, 1, 40))
    write_lines(folder / "ledger.jsonl", [line])
    return folder


def test_the_cost_of_lines_and_of_requests_without_a_line_is_summed(tmp_path: Path) -> None:
    settlement = actual_spend(SESSION, str(killed(tmp_path, LINE)))
    assert settlement is not None
    assert settlement.total_nanousd == 7 + 40


def test_a_count_too_large_to_store_is_not_accepted(tmp_path: Path) -> None:
    absurd = replace(LINE, output_tokens=10**19, cost_usd=1e11)
    assert actual_spend(SESSION, str(killed(tmp_path, absurd))) is None
