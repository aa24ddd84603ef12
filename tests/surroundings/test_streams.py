"""The exit code depends on the run, never on who reads its output."""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, read_rows, write_rows
from tests.ledgers import ledger_rows
from tests.surroundings.conftest import Shell
from tests.thorough import IS_TORTURE

COMMANDS = [
    "show run",
    "show run --json",
    "show run --by label",
    "estimate docs.jsonl",
    "export run",
    "evaluate run --gold gold.jsonl",
    "review export run",
    "spend",
    "cache show",
    "prompt render",
    "prompt check default",
    "--help",
    "classify --help",
    "--version",
]


@contextmanager
def _full() -> Iterator[int]:
    file = os.open("/dev/full", os.O_WRONLY)
    yield file
    os.close(file)


@contextmanager
def _pipe_without_reader() -> Iterator[int]:
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@contextmanager
def _socket_without_reader() -> Iterator[int]:
    open_end, closed_end = socket.socketpair()
    closed_end.close()
    yield open_end.fileno()
    open_end.close()


@contextmanager
def _captured(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    yield file
    os.close(file)


OPENED = """
import os
from llmbatch.cli.streams import prepare_streams
prepare_streams()
number = os.open("opened", os.O_WRONLY | os.O_CREAT)
os.write(number, " ".join([str(number), *(os.readlink(f"/proc/self/fd/{one}") for one in range(3))]).encode())
"""
"""A script that writes the number of the first file it opens, and the targets of its standard streams."""
NOWHERE = {"full": _full, "pipe": _pipe_without_reader, "socket": _socket_without_reader}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    folder = tmp_path_factory.mktemp("streams")
    write_rows(folder / "docs.jsonl", documents(3))
    write_rows(folder / "gold.jsonl", [{"id": f"d-{n}", "label": "technical"} for n in range(3)])
    assert Program(folder)("classify", "docs.jsonl", "--offline", "--out", "run").code == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_has_exited_is_not_a_failure(folder: Path, command: str) -> None:
    for nowhere in (_pipe_without_reader, _socket_without_reader):
        with nowhere() as out, _captured(folder / "err") as err:
            assert Program(folder).onto((os.open(os.devnull, os.O_RDONLY), out, err), *command.split()) == 0
        assert "Traceback" not in (folder / "err").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_under_standard_output_is_reported(folder: Path, command: str) -> None:
    with _full() as out, _captured(folder / "err") as err:
        code = Program(folder).onto((os.open(os.devnull, os.O_RDONLY), out, err), *command.split())
    shown = (folder / "err").read_text()
    assert (code, shown.count("standard output cannot be written (No space left on device)")) == (8, 1), shown


@pytest.mark.parametrize("nowhere", NOWHERE.values(), ids=NOWHERE)
@pytest.mark.parametrize(("fault", "code"), [("", 0), ("filtered@1", 3), ("quota@1+", 4)])
def test_a_runs_exit_code_does_not_depend_on_the_reader_of_its_messages(
    llmbatch: Program,
    endpoint: StartEndpoint,
    nowhere: Callable[[], AbstractContextManager[int]],
    fault: str,
    code: int,
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    url = endpoint(*(("--fault", fault) if fault else ())).url
    with nowhere() as err, _captured(llmbatch.folder / "out") as out:
        stdin = os.open(os.devnull, os.O_RDONLY)
        for log in ((), ("--log-format", "json")):
            command = ("classify", "docs.jsonl", "--base-url", url, "--json", "--concurrency", "1", *log)
            first = llmbatch.onto((stdin, out, err), *command)
            assert first == code
            (llmbatch.folder / "docs.llmbatch" / "ledger.jsonl").unlink()
            url = endpoint(*(("--fault", fault) if fault else ())).url


def test_a_failed_run_whose_summary_cannot_be_written_stays_a_failed_run(
    llmbatch: Program, endpoint: StartEndpoint
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    url = endpoint("--fault", "filtered@1").url
    with _full() as out, _captured(llmbatch.folder / "err") as err:
        command = ("classify", "docs.jsonl", "--base-url", url, "--json")
        assert llmbatch.onto((os.open(os.devnull, os.O_RDONLY), out, err), *command) == 3
    assert "standard output cannot be written" in (llmbatch.folder / "err").read_text()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_the_null_device(shell: Shell, closed: str) -> None:
    """No file of the program takes the stream's number: the lock file would be read as documents."""
    assert shell(f"{shlex.join([sys.executable, '-c', OPENED])} {closed}").code == 0
    number, *opened = (shell.folder / "opened").read_text().split()
    assert int(number) > 2
    numbers = {"<&-": 0, ">&-": 1, "2>&-": 2}
    assert {opened[numbers[one]] for one in closed.split()} == {os.devnull}


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "<&-"] if IS_TORTURE else ["<&- >&- 2>&-"])
def test_a_run_with_closed_streams_works_as_usual(shell: Shell, endpoint: StartEndpoint, closed: str) -> None:
    url = shlex.quote(endpoint().url)
    done = shell(f"$PROGRAM classify - docs.jsonl --out run --json --base-url {url} {closed}")
    assert done.code == 0, done.err
    assert len(ledger_rows(shell.folder / "run" / "ledger.jsonl")) == 3
    assert (shell.folder / "run" / "stdin").read_bytes() == b""
    assert ('"exit_code":0' in done.out) == (">&-" not in closed)


def test_non_blocking_streams_lose_nothing(shell: Shell, endpoint: StartEndpoint) -> None:
    """As with the pipes of Node.js child processes: writes may find no room, and reads no data yet."""
    rows, written = os.pipe()
    read, output = os.pipe()
    for end in (rows, output):
        os.set_blocking(end, False)
    command = f"exec $LLMBATCH classify - --keep text --json --out run --base-url {shlex.quote(endpoint().url)}"
    process = subprocess.Popen(
        ["bash", "-c", command],
        stdin=rows,
        stdout=output,
        stderr=output,
        cwd=shell.folder,
        env=shell._environment((), {"LLMBATCH_LOG_FORMAT": "json"}),
    )
    os.close(output)
    os.close(rows)
    started = os.read(read, 1)
    with os.fdopen(written, "wb") as pipe:
        pipe.write((shell.folder / "docs.jsonl").read_bytes())
    with os.fdopen(read, "rb") as pipe:
        lines = (started + pipe.read()).splitlines()
    assert process.wait(timeout=60) == 0, lines
    assert len(read_rows(shell.folder / "run" / "results.jsonl")) == 3
    assert any(line.startswith(b'{"run_id"') or b'"exit_code"' in line for line in lines)
