"""Killed, interrupted, disk full: no finished row is lost, nothing is paid twice without a report."""

import json
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.plurals import counted
from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import CONSTANTS, SURROUNDINGS
from tests.e2e.holder import holder
from tests.e2e.program import (
    PROGRAM,
    Program,
    accounted,
    documents,
    environment,
    ledger_lines,
    quick_program,
    views,
    wait_until,
    write_rows,
)
from tests.ledgers import ledger_rows

COUNT = 120
RESERVED_SPACE: dict[str, Any] = {CONSTANTS: json.dumps({"llmbatch.runs.ledger.reserve._LINE_BYTES": 4096})}
"""As much as the program reserves; other tests reserve less."""
SMALL_FILES: dict[str, Any] = {SURROUNDINGS: json.dumps({"limits": {"FSIZE": 100_000}})}


@pytest.fixture
def run(llmbatch: Program) -> Path:
    write_rows(llmbatch.folder / "docs.jsonl", documents(COUNT))
    return llmbatch.folder / "docs.llmbatch"


@pytest.mark.parametrize("finished", [1, 60])
def test_after_a_kill_no_finished_row_is_sent_again(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, finished: int
) -> None:
    server = endpoint("--latency", "0.02")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "4", "--json")
    process = llmbatch.start(*command)
    wait_until(lambda: ledger_lines(run) >= finished, process)
    process.kill()
    process.communicate()
    kept = ledger_lines(run)
    in_flight = server.requests - kept
    done = llmbatch(*command)
    assert done.code == 0, done.err
    assert accounted(run) == list(range(COUNT))
    assert server.requests == COUNT + in_flight, "only requests in flight are sent again"
    reported = done.json["usage"]["possibly_billed_requests"]
    assert in_flight <= reported <= 4, "each is reported; the kill may have come between the log line and the request"
    assert (f"{counted(reported, 'request')} in flight when" in done.err) == (reported > 0)
    keys = [line["key"] for line in ledger_rows(run / "ledger.jsonl")]
    assert len(keys) == len(set(keys)) == COUNT


def test_after_a_kill_export_writes_the_outputs(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    process = llmbatch.start("classify", "docs.jsonl", "--base-url", endpoint("--latency", "0.02").url)
    wait_until(lambda: ledger_lines(run) >= 10, process)
    process.kill()
    process.communicate()
    with (run / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"row": 3, "id"')
    whole = ledger_lines(run)
    done = llmbatch("export", "docs.llmbatch")
    assert (done.code, len(accounted(run))) == (0, whole)
    assert "torn" in done.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_run_cleanly(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, number: signal.Signals, code: int
) -> None:
    server = endpoint("--latency", "0.05")
    process = llmbatch.start("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "4", "--json")
    wait_until(lambda: ledger_lines(run) >= 8, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "llmbatch classify docs.jsonl" in out
    assert len(accounted(run)) == server.requests, "requests in flight were waited for"
    assert not (run / "sent.log").exists()
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url).code == 0
    assert server.requests == COUNT


def test_under_nohup_a_hangup_is_ignored(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    command = shlex.join([*quick_program(), "classify", "docs.jsonl", "--base-url", endpoint("--latency", "0.01").url])
    process = subprocess.Popen(
        f"trap '' HUP; exec {command}",
        shell=True,
        cwd=llmbatch.folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: ledger_lines(run) >= 8, process)
    process.send_signal(signal.SIGHUP)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert len(accounted(run)) == COUNT


def test_a_second_signal_abandons_requests_in_flight(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    server = endpoint("--fault", "timeout@9+")
    process = llmbatch.start("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "4", "--grace", "60")
    wait_until(lambda: server.requests >= 12, process)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "press again" not in (line := process.stderr.readline()):
        assert line, "the first signal was not reported"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    abandoned = [line for line in ledger_rows(run / "ledger.jsonl") if line["status"] == "failed"]
    assert [line["error"]["kind"] for line in abandoned] == ["interrupted"] * 4
    assert all(line["possibly_billed_attempts"] == 1 for line in abandoned)


def test_a_second_process_on_the_folder_is_refused(llmbatch: Program, endpoint: StartEndpoint, run: Path) -> None:
    server = endpoint("--latency", "0.1")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "2")
    process = llmbatch.start(*command)
    wait_until(lambda: ledger_lines(run) >= 1, process)
    second = llmbatch(*command)
    assert second.code == 6
    assert str(holder(run)) in second.err
    assert llmbatch("show", "docs.llmbatch", "--json").json["rows"]["total"] == COUNT, "reading is allowed"
    process.kill()
    process.communicate()


def test_a_full_disk_stops_the_run_and_keeps_complete_lines(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    """A limit on file sizes simulates a full disk: only the reserved space can still be written."""
    server = endpoint("--latency", "0.01")
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "4")
    stopped = llmbatch(*command, **RESERVED_SPACE, **SMALL_FILES)
    assert stopped.code == 8, stopped.err
    assert "the file size limit is nearly reached (ulimit -f)" in stopped.err
    assert "Traceback" not in stopped.err
    kept = ledger_lines(run)
    assert 0 < kept < COUNT
    assert server.requests == kept, "requests in flight found room"
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url).code == 0
    assert server.requests == COUNT
    assert accounted(run) == list(range(COUNT))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 128 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"file systems cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_on_a_full_disk_answers_in_flight_use_the_reserved_space(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, small_disk: Path
) -> None:
    server, run = endpoint("--latency", "0.01"), small_disk / "run"
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "4", "--out", run, "--json")
    (small_disk / "ballast").write_bytes(bytes(16_000))
    full = llmbatch(*command, **RESERVED_SPACE)
    assert full.code == 8, full.err
    assert "No space left on device" in full.json["reason"]
    assert "make room" in full.err
    assert 0 < ledger_lines(run) == server.requests < COUNT, "each answer was saved"
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    assert llmbatch(*command).code == 0
    assert server.requests == COUNT
    assert accounted(run) == list(range(COUNT))


def test_without_space_for_answers_nothing_is_sent(
    llmbatch: Program, endpoint: StartEndpoint, small_disk: Path
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    server = endpoint()
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--out", small_disk / "run")
    done = llmbatch(*command, **RESERVED_SPACE)
    assert (done.code, server.requests) == (8, 0)
    assert "cannot set aside the 8.0 MiB" in done.err


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed: apt-get install strace")
def test_a_signal_while_outputs_are_written_ends_the_command_at_once(
    llmbatch: Program, endpoint: StartEndpoint, run: Path
) -> None:
    """The signal comes while the unneeded sample of an earlier run is removed."""
    server = endpoint()
    done = subprocess.run(
        [
            *("strace", "-f", "-qq", "-o", "trace", "-P", str(run / "sample.jsonl")),
            *("--trace=unlink", "--inject=unlink:signal=SIGTERM"),
            *(*PROGRAM, "classify", str(llmbatch.folder / "docs.jsonl"), "--base-url", server.url, "--json"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        cwd=llmbatch.folder,
        env=environment(),
        timeout=60,
    )
    assert done.returncode == 143, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["reason"], summary["rows"]["total"]) == ("interrupted by SIGTERM", COUNT)
    assert ledger_lines(run) == COUNT
    assert f"llmbatch export {run}" in summary["next_commands"]
    assert llmbatch("show", "docs.llmbatch", "--json").json["state"] == "interrupted"
    assert llmbatch("export", "docs.llmbatch").code == 0
    assert (accounted(run), server.requests) == (list(range(COUNT)), COUNT)


@pytest.mark.parametrize("by_option", [False, True])
def test_a_damaged_ledger_is_refused_and_repaired_on_demand(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, *, by_option: bool
) -> None:
    server = endpoint()
    llmbatch("classify", "docs.jsonl", "--base-url", server.url)
    lines = (run / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    lines[7] = b"\x00garbage\n"
    (run / "ledger.jsonl").write_bytes(b"".join(lines))
    for command in (("classify", "docs.jsonl", "--base-url", server.url), ("show", "docs.llmbatch")):
        refused = llmbatch(*command)
        assert refused.code == 2
        assert "line 8" in refused.err
        assert f"llmbatch repair {run.name} moves damaged lines aside" in refused.err
    if by_option:
        assert llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--salvage").code == 0
    else:
        (run / "ledger.jsonl").open("ab").write(b'{"format":2,"torn')
        done = llmbatch("repair", "docs.llmbatch", "--json").json
        moved = ["docs.llmbatch/ledger.torn-1", "docs.llmbatch/ledger.salvaged-1"]
        assert (done["ledger_lines"], done["decisions"], done["files"]) == (1, 0, moved)
        assert done["next"] == f"llmbatch classify docs.jsonl --base-url {server.url}"
        assert (run / "ledger.salvaged-1").read_bytes() == b"\x00garbage\n"
        assert server.requests == COUNT
        assert llmbatch("show", "docs.llmbatch", "--json").json["rows"]["undone"] == 1
        assert "nothing is damaged" in llmbatch("repair", "docs.llmbatch").out
        assert llmbatch("classify", "docs.jsonl", "--base-url", server.url).code == 0
    assert server.requests == COUNT + 1
    assert len(views(run)["failed"]) == 0
    assert accounted(run) == list(range(COUNT))


def test_a_directory_in_place_of_an_output_is_refused_before_anything_is_sent(
    llmbatch: Program, run: Path, endpoint: StartEndpoint
) -> None:
    run.mkdir()
    (run / "results.jsonl").mkdir()
    server = endpoint()
    done = llmbatch("classify", "docs.jsonl", "--base-url", server.url)
    assert (done.code, server.requests) == (2, 0)
    assert "results.jsonl: is a folder" in done.err
    (run / "results.jsonl").rmdir()
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url).code == 0
    assert accounted(run) == list(range(COUNT))


def test_endless_standard_input_can_be_interrupted(llmbatch: Program) -> None:
    process = llmbatch.start("classify", "-", "--offline", "--out", "run", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write('{"id": 1, "text": "An invoice."}\n')
    process.stdin.flush()
    wait_until(lambda: ledger_lines(llmbatch.folder / "run") == 1, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    process.communicate()
    assert accounted(llmbatch.folder / "run") == [0]


def _has_results(run: Path, ids: list[str]) -> bool:
    return [row["id"] for row in views(run)["results"]] == ids


def test_results_of_an_endless_input_appear_as_they_are_written(llmbatch: Program) -> None:
    run = llmbatch.folder / "run"
    command = ("classify", "-", "--offline", "--out", "run", "--review-below", "0")
    quickly = {CONSTANTS: json.dumps({"llmbatch.session.rolling.ROLL_EVERY_S": 0.1})}
    process = llmbatch.start(*command, stdin=subprocess.PIPE, **quickly)
    assert process.stdin is not None
    for count in (1, 2, 3):
        process.stdin.write(json.dumps({"id": f"d-{count}", "text": f"An invoice of {count} items."}) + "\n")
        process.stdin.flush()
        expected = [f"d-{n}" for n in range(1, count + 1)]
        wait_until(partial(_has_results, run, expected), process)
    _, err = process.communicate("not json\n")
    assert process.returncode == 3, err
    assert "results so far are in run, in order of arrival" in err
    assert accounted(run) == [0, 1, 2, 3]


def test_the_offline_endpoint_of_a_killed_run_ends_too(llmbatch: Program, run: Path) -> None:
    process = llmbatch.start(
        "classify", "docs.jsonl", "--offline", "--out", run.name, "--fault", "timeout@20+", program=PROGRAM
    )
    wait_until(lambda: ledger_lines(run) >= 5, process)
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.communicate()
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        pass


@pytest.mark.parametrize("kept_as", [None, "moved.llmbatch"])
def test_a_run_whose_folder_is_gone_stops_sending(
    llmbatch: Program, endpoint: StartEndpoint, run: Path, kept_as: str | None
) -> None:
    server = endpoint("--latency", "0.2")
    process = llmbatch.start("classify", "docs.jsonl", "--base-url", server.url, "--concurrency", "2", "--json")
    wait_until(lambda: ledger_lines(run) >= 3, process)
    if kept_as is None:
        shutil.rmtree(run)
    else:
        run.rename(llmbatch.folder / kept_as)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 8, err
    assert "was deleted or moved" in json.loads(out)["reason"]
    assert "Traceback" not in err
    assert server.requests < COUNT / 2
    assert not run.exists()
    if kept_as is not None:
        again = llmbatch("classify", "docs.jsonl", "--base-url", endpoint().url, "--out", kept_as)
        assert (again.code, accounted(llmbatch.folder / kept_as)) == (0, list(range(COUNT)))
