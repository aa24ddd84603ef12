"""A run in Python: its results, its folder, and locking."""

import asyncio
import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from llmbatch import Run, StopHandle, aclassify, classify
from llmbatch.core.errors import FolderBusy, Interrupted, RunStopped, UsageError
from llmbatch.observe.progress import Progress
from tests.api.calling import TEXTS, options
from tests.e2e.conftest import StartEndpoint


def test_results_come_in_the_order_of_the_documents(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "refusal@3", "--fault", "refusal@7")
    documents: list[str | dict[str, Any]] = [
        "The server crashed.",
        {"id": "b", "text": "An invoice.", "team": "x"},
        "A court.",
        {"id": "empty", "text": " "},
        {"name": "no text", "id": 4},
        *TEXTS[:4],
        {"id": "last", "text": "The contract of the court."},
    ]
    run = classify(documents, base_url=server.url, out=tmp_path / "run", concurrency=1, review_below=0.9)
    assert not run.ok
    assert [result.row for result in run] == list(range(len(documents)))
    assert [result.id for result in run] == [0, "b", 2, "empty", 4, 5, 6, 7, 8, "last"]
    statuses = [result.status for result in run]
    assert (statuses[2], statuses[3], statuses[4], statuses[8]) == ("failed",) * 4
    assert {"ok", "review"} < set(statuses)
    assert (len(run), run[3].status, run[-1].id, run[1].record["team"]) == (10, "failed", "last", "x")
    assert [run[n] for n in range(10)] == list(run) == run[:]
    assert [result.row for result in run[2:5]] == [2, 3, 4]
    assert run[2].error is not None
    assert run[2].error["kind"] == "refusal"
    assert run.summary.rows.total == 10
    assert set(run.labels()) == {0, "b", 5, 6, 7, "last"}
    with pytest.raises(IndexError):
        run[10]


def test_a_failed_row_has_the_id_from_the_named_field(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server = endpoint("--fault", "refusal@1+")
    documents = [{"code": "x", "id": "y", "text": "A court."}]
    (result,) = classify(documents, base_url=server.url, out=tmp_path / "run", id_field="code")
    assert (result.id, result.status) == ("x", "failed")


def test_document_fields_of_any_name_do_not_hide_a_rows_result(tmp_path: Path, endpoint: StartEndpoint) -> None:
    own = {"raw": "x", "error": "mine", "llmbatch_error": {"row": 7}, "row": 9, "category": "mine", "status": "x"}
    texts = {1: " ", 2: "A court.", 3: "A bank."}
    documents = [{"id": name, "text": text, **own} for name, text in texts.items()]
    run = classify(documents, **options(endpoint("--fault", "refusal@2").url, tmp_path / "run"))
    assert [result.row for result in run] == [0, 1, 2]
    assert [(result.id, result.status) for result in run] == [(1, "failed"), (2, "ok"), (3, "failed")]
    assert [result.error and result.error["kind"] for result in run] == ["empty_text", None, "refusal"]
    assert [result.category for result in run] == [None, "legal", None]


def test_a_temporary_folder_is_removed_with_the_run(endpoint: StartEndpoint) -> None:
    server = endpoint()
    gc.freeze()  # collecting objects left by earlier tests takes half a second
    run = classify(["A court."], base_url=server.url)
    folder = run.folder
    assert (folder / "input.jsonl").stat().st_mode & 0o077 == 0
    (result,) = run
    del run
    gc.collect()
    assert (folder.exists(), result.category) == (False, "legal")
    with classify(["A court."], base_url=server.url) as run:
        assert run.folder.exists()
    assert not run.folder.exists()
    with pytest.raises(UsageError, match="removed"):
        list(run)


def test_objects_frozen_by_the_caller_stay_frozen(endpoint: StartEndpoint) -> None:
    gc.freeze()
    classify(["A court."], base_url=endpoint().url, spend_store="off").close()
    assert gc.get_freeze_count() > 10_000


def test_a_temporary_folder_is_not_removed_by_a_fork(endpoint: StartEndpoint) -> None:
    with classify(["A court."], base_url=endpoint().url) as run:
        child = os.fork()
        if child == 0:
            run.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert [result.category for result in run] == ["legal"]


def test_a_refused_call_leaves_no_temporary_folder(
    endpoint: StartEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(UsageError):
        classify(["A court.", None], base_url=endpoint().url)  # type: ignore[list-item] # refused
    with pytest.raises(RunStopped, match="quota") as stopped:
        classify(["A court."], base_url=endpoint("--fault", "quota@1+").url)
    assert stopped.value.hint is not None
    assert list(tmp_path.iterdir()) == []


def test_answers_before_a_stop_are_kept_until_the_process_ends(
    endpoint: StartEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(RunStopped) as stopped:
        classify(TEXTS[:5], base_url=endpoint("--fault", "quota@3+").url, concurrency=1)
    (folder,) = tmp_path.iterdir()
    assert str(folder) in str(stopped.value.hint)
    server = endpoint()
    assert classify(TEXTS[:5], out=folder, base_url=server.url).ok
    assert server.requests == 3


def test_a_folder_in_use_is_refused_before_anything_in_it_is_touched(tmp_path: Path, endpoint: StartEndpoint) -> None:
    out, handle = tmp_path / "run", StopHandle()
    busy: list[FolderBusy] = []

    def check_busy(progress: Progress) -> None:
        if progress.done < 2 or busy:
            return
        before = (out / "input.jsonl").read_bytes()
        try:
            classify(iter(["other"]), **options(server.url, out))
        except FolderBusy as error:
            busy.append(error)
        assert (out / "input.jsonl").read_bytes() == before
        handle.stop()

    server = endpoint("--latency", "0.02")
    with pytest.raises(Interrupted):
        classify(TEXTS, **options(server.url, out), handle=handle, progress=check_busy)
    assert len(busy) == 1


def test_a_child_forked_during_a_run_does_not_hold_the_lock(tmp_path: Path, endpoint: StartEndpoint) -> None:
    children: list[int] = []
    ending, end = os.pipe()

    def fork(progress: Progress) -> None:
        if progress.done and not children:
            children.append(os.fork())
            if children == [0]:
                os.close(end)
                os.read(ending, 1)  # until the test ends
                os._exit(0)

    server = endpoint("--latency", "0.02")
    assert classify(TEXTS[:30], **options(server.url, tmp_path / "run"), progress=fork).ok
    assert classify(TEXTS[:31], **options(server.url, tmp_path / "run")).ok
    os.close(end)
    os.waitpid(children[0], 0)
    os.close(ending)


def test_concurrent_calls_on_separate_folders_do_not_interfere(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server = endpoint()

    def call(number: int) -> list[str | None]:
        run = classify(
            [f"The server crashed in case {number}.", "A court."], **options(server.url, tmp_path / f"{number}")
        )
        return [result.category for result in run]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(call, range(8))) == [["technical", "legal"]] * 8


def test_the_event_loop_is_not_blocked_while_runs_are_awaited(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server = endpoint("--latency", "0.01")

    async def serve() -> tuple[list[Run], int]:
        turns = 0
        both = asyncio.gather(*(aclassify(TEXTS[:20], **options(server.url, tmp_path / name)) for name in "ab"))
        while not both.done():
            await asyncio.sleep(0.001)
            turns += 1
        return await both, turns

    runs, turns = asyncio.run(serve())
    assert [len(run) for run in runs] == [20, 20]
    assert turns > 20, "the loop ran during the runs"


def test_a_call_in_a_running_loop_works(tmp_path: Path, endpoint: StartEndpoint) -> None:
    async def cell() -> bool:
        return classify(["An invoice."], **options(endpoint().url, tmp_path / "run")).ok

    assert asyncio.run(cell())


def test_a_call_works_in_a_thread(tmp_path: Path, endpoint: StartEndpoint) -> None:
    server, done = endpoint(), []
    thread = threading.Thread(
        target=lambda: done.append(classify(["A court."], **options(server.url, tmp_path / "thread")).ok)
    )
    thread.start()
    thread.join()
    assert done == [True]


def test_a_failing_progress_callback_does_not_stop_the_run(tmp_path: Path, endpoint: StartEndpoint) -> None:
    def fail(_: Progress) -> None:
        raise ZeroDivisionError

    assert classify(TEXTS[:3], **options(endpoint("--latency", "0.1").url, tmp_path / "run"), progress=fail).ok


def test_a_run_converts_to_a_table(tmp_path: Path, endpoint: StartEndpoint) -> None:
    texts = {"a": "A court.", 7: " ", "c": "A server."}
    documents = [{"id": row_id, "text": text, "n": 1} for row_id, text in texts.items()]
    run = classify(documents, **options(endpoint().url, tmp_path / "run"))
    table = run.to_arrow()
    assert table.column("id").to_pylist() == ["a", "7", "c"]
    assert table.column("status").to_pylist() == ["ok", "failed", "ok"]
    assert table.column("n").to_pylist() == [1, None, 1]
    assert table.column("error").to_pylist()[1].startswith("empty_text: ")
    assert list(run.to_pandas()["row"]) == [0, 1, 2]
    run.to_parquet(tmp_path / "labels.parquet")
    assert parquet.read_table(tmp_path / "labels.parquet").to_pylist() == table.to_pylist()
