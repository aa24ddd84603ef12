"""`run.json` states its format, and is refused if it is damaged or newer; an earlier format still opens."""

import json
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import ConfidenceKind
from llmbatch.runs.calibrations import load_calibrations, save_calibration
from llmbatch.runs.folder import RunFolder, RunRecord, load_record
from llmbatch.task.calibration import Calibration
from llmbatch.task.load import load_task
from tests.sealing import rewrite

CALIBRATION = Calibration(
    prompt="p",
    model="m",
    offline=False,
    confidence=ConfidenceKind.reported,
    method="isotonic",
    points=((0.0, 0.25), (1.0, 0.75)),
    rows=200,
    gold="g",
    fitted_at="2026-11-27T00:00:00Z",
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    RunRecord(
        created_at="2026-11-27T00:00:00Z",
        updated_at="2026-11-27T00:00:00Z",
        inputs=("/docs.jsonl",),
        reader={},
        task=load_task(None).task,
        task_source="default",
        choice={},
        offline=True,
        endpoint="offline",
        fingerprint="f",
        prompt="p",
        model="m",
        prefix_tokens=1,
        review_below=0.5,
    ).save(RunFolder(tmp_path))
    return RunFolder(tmp_path)


def test_a_record_reads_back(folder: RunFolder) -> None:
    record = load_record(folder)
    assert (record.format, record.review_below) == (2, 0.5)
    before = folder.run_json.read_bytes()
    record.save(folder)
    assert folder.run_json.read_bytes() == before


def test_a_changed_byte_is_refused_with_the_file(folder: RunFolder) -> None:
    whole = folder.run_json.read_bytes()
    folder.run_json.write_bytes(whole.replace(b'"review_below":0.5', b'"review_below":0.9'))
    with pytest.raises(UsageError, match=r"run\.json is damaged \(its checksum does not match\)"):
        load_record(folder)


@pytest.mark.parametrize("change", [{"format": 3}, {"unknown": 1}, {"review_below": "high"}])
def test_records_of_unsupported_versions_are_refused(folder: RunFolder, change: dict[str, Any]) -> None:
    rewrite(folder.run_json, lambda record: record | change)
    with pytest.raises(UsageError, match=r"newer llmbatch|unknown|review_below"):
        load_record(folder)


def test_a_record_of_an_earlier_version_opens_and_is_rewritten_in_the_current_format(folder: RunFolder) -> None:
    record = json.loads(folder.run_json.read_bytes())
    del record["crc32"]
    folder.run_json.write_text(json.dumps(record | {"format": 1}))
    earlier = load_record(folder)
    assert earlier.format == 1
    earlier.updated().save(folder)
    assert load_record(folder).format == 2


def test_a_record_without_its_checksum_is_not_taken_for_an_earlier_version(folder: RunFolder) -> None:
    record = json.loads(folder.run_json.read_bytes())
    for changed in (record | {"format": 1}, {name: value for name, value in record.items() if name != "crc32"}):
        folder.run_json.write_text(json.dumps(changed))
        with pytest.raises(UsageError, match=r"run\.json"):
            load_record(folder)


def test_a_damaged_calibration_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.calibration.json"
    save_calibration(path, CALIBRATION)
    assert load_calibrations(path).calibrations == (CALIBRATION,)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"0.75", b"0.95"))
    with pytest.raises(UsageError, match="damaged"):
        load_calibrations(path)
    path.write_bytes(whole)
    rewrite(path, lambda record: record | {"format": 3})
    before = path.read_bytes()
    with pytest.raises(UsageError, match="newer llmbatch"):
        save_calibration(path, CALIBRATION)
    assert path.read_bytes() == before


def test_a_calibration_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "task.calibration.json"
    path.write_text(json.dumps({"format": 1, "calibrations": [CALIBRATION.model_dump(mode="json")]}))
    assert load_calibrations(path).calibrations == (CALIBRATION,)
