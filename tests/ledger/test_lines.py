"""Lines in the file: shared values are stated now and then, and no line is lost with another one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmbatch.core.checksum import seal
from llmbatch.core.errors import UsageError
from llmbatch.core.ledger_line import LedgerLine, RowError
from llmbatch.runs.ledger.lines import WINDOW, LineWriter
from llmbatch.runs.ledger.log import Ledger
from llmbatch.runs.ledger.recover import read_lines, salvage_ledger
from tests.ledgers import lines_of
from tests.sealing import rewrite

MakeLine = Callable[..., LedgerLine]

awkward = st.sampled_from(
    [
        "",
        ",",
        '"',
        "\\",
        '","shared":"',
        '","time":"',
        '","date":"',
        '","started_at":"2026-11-24T',
        "}\n",
        "é\x00",
        "s" * 99,
    ]
)
days = st.sampled_from(
    ["2026-11-24T23:59:59.999999Z", "2026-11-25T00:00:00.000000Z", "2026-11-25T08:00:00Z", "now", ""]
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "id": awkward | st.integers() | st.booleans(),
        "category": awkward,
        "reasoning": awkward,
        "confidences": st.dictionaries(awkward | st.sampled_from(["shared", "time", "date"]), st.floats(0, 1)),
        "request_id": awkward,
        "error": st.builds(RowError, awkward, st.none() | awkward, awkward),
        "model": awkward,
        "system_fingerprint": awkward,
        "attempts": st.integers(0, 3),
        "cached_input_tokens": st.sampled_from([0, 1280]),
        "arm": st.sampled_from(["control", "canary"]),
        "answer": st.sampled_from(["", "x" * (WINDOW // 3), "x" * WINDOW]),
        "started_at": days,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(changes, max_size=30), data=st.data())
def test_any_line_is_read_back_equal_in_order_and_by_offset(
    tmp_path_factory: pytest.TempPathFactory, make_line: MakeLine, lines: list[dict[str, Any]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("lines") / "ledger.jsonl"
    written = [make_line(row, **change) for row, change in enumerate(lines)]
    ledger, _ = Ledger.open(path, on_line=lambda *_: None)
    for line in written:
        ledger.append(line)
    offsets = [offset for offset, _ in read_lines(path)]
    assert lines_of(path) == written
    for line in data.draw(st.permutations(written)):
        assert ledger.latest(line.key) == (line if line.status == "ok" else None)
    for start, offset in enumerate(offsets):
        assert [line for _, line in read_lines(path, start=offset)] == written[start:]
    ledger.close()


@pytest.fixture
def usual(make_line: MakeLine) -> list[LedgerLine]:
    """Lines of the usual length; the first one is from a request that filled the cache."""
    return [
        make_line(
            row,
            category="technical",
            confidence=0.87,
            confidence_raw=None,
            prompt="46d8eb33f164",
            model="gpt-6-luna",
            response_model="gpt-6-luna-2026-08-01",
            system_fingerprint="fp_a24b4d720c",
            service_tier="default",
            request_id=f"req_9ec6dfe59554076000000000{row:08x}",
            finish_reason="stop",
            attempts=1,
            parse="clean",
            input_tokens=1849,
            cached_input_tokens=1792 * (row > 0),
            output_tokens=9,
            cost_usd=0.00002839,
            latency_s=0.028053,
        )
        for row in range(600)
    ]


def written(lines: list[LedgerLine]) -> list[bytes]:
    writer = LineWriter()
    return [writer.encode(line) for line in lines]


def test_a_typical_line_takes_less_than_350_bytes(usual: list[LedgerLine]) -> None:
    for rows in (60, 600):
        assert len(b"".join(written(usual[:rows]))) / rows < 350


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.integers(0, 599),
    count=st.just(1) | st.integers(2, 120),
    place=st.integers(0, 300),
    flip=st.integers(1, 255),
)
@example(first=0, count=120, place=40, flip=1)
def test_damage_loses_the_damaged_lines_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, usual: list[LedgerLine], first: int, count: int, place: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("damage") / "ledger.jsonl"
    raws = written(usual)
    for n in range(first, min(first + count, len(raws))):
        raws[n] = raws[n][:place] + bytes([raws[n][place] ^ flip]) + raws[n][place + 1 :]
    path.write_bytes(b"".join(raws))
    with pytest.raises(UsageError, match=rf"line {first + 1} is damaged"):
        lines_of(path)
    salvage_ledger(path)
    assert lines_of(path) == usual[:first] + usual[first + count :]


def test_removed_lines_leave_the_others_readable(tmp_path: Path, usual: list[LedgerLine]) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(written(usual)[5:]))
    assert lines_of(path) == usual[5:], "shared values are stated again later"


def test_a_line_whose_shared_values_are_missing_is_damaged(tmp_path: Path, usual: list[LedgerLine]) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(written(usual)[5:9]))
    with pytest.raises(UsageError, match=r"line 1 is damaged .*what it shares with them are missing"):
        lines_of(path)


def test_a_line_that_was_not_written_defines_no_shared_values(tmp_path: Path, usual: list[LedgerLine]) -> None:
    path, lines = tmp_path / "ledger.jsonl", LineWriter()
    with path.open("wb") as file:
        for line in usual[:40]:
            raw = lines.encode(line)
            if line.row % 3:
                file.write(raw)
            else:
                lines.forget()
    assert lines_of(path) == [line for line in usual[:40] if line.row % 3]


def test_unknown_members_of_a_line_are_kept(tmp_path: Path, usual: list[LedgerLine]) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(written(usual[:9])))
    error = {"kind": "invalid", "code": None, "message": "no label"}
    rewrite(path, lambda line: line | {"error": error} if line["row"] in (1, 8) else line)
    assert [line.error is not None for line in lines_of(path)] == [line.row in (1, 8) for line in usual[:9]]


def test_a_ledger_of_format_2_is_read_and_appended_to(tmp_path: Path, usual: list[LedgerLine]) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(_OF_FORMAT_2)
    ledger, _ = Ledger.open(path, on_line=lambda *_: None)
    for line in usual[:3]:
        ledger.append(line)
    ledger.close()
    first, second, *others = lines_of(path)
    assert (first.row, first.id, first.category, first.attempts, first.cached_input_tokens) == (
        0,
        "ag-0",
        "business",
        1,
        0,
    )
    assert (second.started_at, second.source, second.cached_input_tokens) == (
        "2026-11-27T22:34:27.423998Z",
        "batch",
        1799,
    )
    assert others == usual[:3]


_OF_FORMAT_2 = b"".join(
    seal(record)
    for record in (
        (
            b'{"format":2,"row":0,"id":"ag-0","key":"0c4020aac7ca08910e0de6f558ecdd84","status":"ok","category":"business",'
            b'"confidence":0.67,"prompt":"46d8eb33f164","model":"gpt-6-luna","response_model":"gpt-6-luna",'
            b'"system_fingerprint":"fp_offline","service_tier":"default","request_id":"req_9a2991eca98196a70000000000000001",'
            b'"finish_reason":"stop","attempts":1,"parse":"clean","input_tokens":1849,"cache_write_tokens":1799,'
            b'"output_tokens":9,"cost_usd":0.000234375,"latency_s":0.03299,"started_at":"2026-11-27T22:34:27.389857Z"}'
        ),
        (
            b'{"format":2,"row":1,"id":"ag-1","key":"4f1ea5b95e91595462d1e717e6f6711d","status":"ok","category":"sports",'
            b'"confidence":0.4,"prompt":"46d8eb33f164","model":"gpt-6-luna","attempts":1,"parse":"clean",'
            b'"input_tokens":1889,"cached_input_tokens":1799,"output_tokens":9,"cost_usd":0.00003149,'
            b'"started_at":"2026-11-27T22:34:27.423998Z","source":"batch","batch":"batch_1"}'
        ),
    )
)
"""As the version before wrote them."""
