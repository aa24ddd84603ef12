"""Every system call on the run folder fails once, or the program dies there; the same command then resumes."""

import shutil
import sys
from itertools import count, takewhile
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Endpoint, Program, documents, write_rows
from tests.ledgers import ledger_rows
from tests.thorough import IS_TORTURE
from tests.torture.strike import KILL, LONG, MISSING, SHORT, Strike, strike

ROWS = 4
CALLS = ("mkdir", "openat", "write", "pwrite64", "fallocate", "fsync", "rename", "ftruncate", "unlink", "flock")
QUICK = (Strike("write", "error=ENOSPC", 6, on=True), Strike("rename", KILL, 3))

pytestmark = [pytest.mark.skipif(MISSING is not None, reason=str(MISSING)), pytest.mark.timeout(1800)]


@pytest.mark.parametrize("blow", QUICK, ids=lambda blow: blow.expression)
def test_a_run_resumes_after_a_failed_system_call_or_a_kill(
    llmbatch: Program, endpoint: StartEndpoint, blow: Strike
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    assert _resumes_after(llmbatch, endpoint(), blow, _undisturbed(llmbatch, endpoint()), SHORT)


@pytest.mark.skipif(not IS_TORTURE, reason="a part of make torture")
@pytest.mark.parametrize("blow", [KILL, "error=EIO", "error=ENOSPC"])
@pytest.mark.parametrize("call", CALLS)
def test_a_run_resumes_after_a_failure_at_any_call_on_its_folder(
    llmbatch: Program, endpoint: StartEndpoint, call: str, blow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    _sweep(llmbatch, endpoint(), call, blow, SHORT, capsys)


@pytest.mark.skipif(not IS_TORTURE, reason="a part of make torture")
@pytest.mark.parametrize("blow", [KILL, "error=EIO", "error=ENOSPC"])
@pytest.mark.parametrize("call", ["openat", "write", "fsync", "rename"])
def test_a_long_session_resumes_after_a_failure_at_any_call(
    llmbatch: Program, endpoint: StartEndpoint, call: str, blow: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    _sweep(llmbatch, endpoint("--latency", "0.05"), call, blow, LONG, capsys)


def _sweep(
    llmbatch: Program,
    server: Endpoint,
    call: str,
    blow: str,
    program: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    undisturbed = _undisturbed(llmbatch, server)
    lasting = blow == "error=ENOSPC"  # a full disk stays full
    strikes = (Strike(call, blow, nth, on=lasting) for nth in count(1))
    struck = takewhile(lambda s: _resumes_after(llmbatch, server, s, undisturbed, program), strikes)
    points = sum(1 for _ in struck)
    with capsys.disabled():
        sys.stderr.write(f"{call} {blow}: {points} points\n")


def _undisturbed(llmbatch: Program, server: Endpoint) -> dict[str, bytes]:
    assert llmbatch("classify", "docs.jsonl", "--base-url", server.url, "--out", "undisturbed").code == 0
    return _view_bytes(llmbatch.folder / "undisturbed")


def _view_bytes(run: Path) -> dict[str, bytes]:
    return {view: (run / f"{view}.jsonl").read_bytes() for view in ("results", "review", "failed")}


def _resumes_after(
    llmbatch: Program, server: Endpoint, blow: Strike, undisturbed: dict[str, bytes], program: list[str]
) -> bool:
    """Inject a fault into a run, resume it, and check the outcome. False if the fault hit no call."""
    run = llmbatch.folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = ("classify", "docs.jsonl", "--base-url", server.url, "--out", "run", "--concurrency", "2", "--json")
    before = server.requests
    struck = strike(llmbatch.folder, "run", command, blow, program=program)
    if not struck.hit:
        assert struck.code == 0
        return False
    asked, kept = server.requests - before, len(ledger_rows(run / "ledger.jsonl"))
    where = f"{blow.expression}: {struck.err}"
    if blow.blow != KILL:
        assert struck.code in (0, 8), where
        assert "Traceback" not in struck.err, where
        assert struck.code == 8 or _view_bytes(run) == undisturbed, f"a false success: {where}"
        assert asked == kept or "lost" in struck.err, f"an answer was lost without a report: {where}"
    done = llmbatch(*command)
    assert done.code == 0, f"{where}\nthen: {done.err}"
    assert _view_bytes(run) == undisturbed, where
    keys = [line["key"] for line in ledger_rows(run / "ledger.jsonl")]
    assert len(keys) == len(set(keys)) == ROWS, where
    assert server.requests - before == ROWS + asked - kept, f"a finished row was sent again: {where}"
    assert done.json["usage"]["possibly_billed_requests"] >= asked - kept, f"paid twice without a report: {where}"
    return True
