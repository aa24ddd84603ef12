"""Low resources: open files, file size, writable folders."""

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program
from tests.surroundings.conftest import Shell, needs_root
from tests.thorough import IS_TORTURE

STORAGE = 8


@pytest.mark.parametrize("files", [5, 6, 8, 12] if IS_TORTURE else [5, 12])
def test_a_very_low_limit_on_open_files_is_reported(shell: Shell, files: int) -> None:
    done = shell(f"ulimit -n {files}; exec $PROGRAM classify docs.jsonl --offline")
    assert done.code == STORAGE, done.err
    assert "open files" in done.err
    assert "Traceback" not in done.err


def test_a_file_size_limit_ends_the_run_cleanly(shell: Shell, endpoint: StartEndpoint) -> None:
    done = shell(f"ulimit -f 1; exec $PROGRAM classify docs.jsonl --base-url {endpoint().url}")
    assert done.code == STORAGE, done.err
    assert "Traceback" not in done.err


@needs_root
def test_a_run_next_to_an_input_in_a_read_only_folder_is_refused(program: Program, endpoint: StartEndpoint) -> None:
    server = endpoint()
    done = program("classify", "docs.jsonl", "--base-url", server.url, HOME="/")
    assert (done.code in {2, STORAGE}, server.requests) == (True, 0), done.err
    assert "docs.llmbatch" in done.err
    assert "Traceback" not in done.err
    assert program("classify", "docs.jsonl", "--out", "own/run", "--base-url", server.url, HOME="/").code == 0


def test_a_full_temporary_folder_is_not_needed(shell: Shell, endpoint: StartEndpoint, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    full.chmod(0o500)
    done = shell(f"exec $LLMBATCH classify docs.jsonl --base-url {endpoint().url}", more={"TMPDIR": str(full)})
    assert done.code == 0, done.err
    shutil.rmtree(full)
