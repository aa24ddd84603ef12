"""One writable run folder is enough for any user; stores without a place are off, with one warning."""

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, accounted, documents, write_rows
from tests.surroundings.conftest import NOBODY, as_user, needs_root

pytestmark = needs_root


@pytest.mark.parametrize("home", ["", "/nonexistent", "/"], ids=["none", "missing", "read-only"])
def test_a_run_needs_its_folder_and_nothing_else(program: Program, endpoint: StartEndpoint, home: str) -> None:
    classify = ("classify", "docs.jsonl", "--out", "own/run", "--base-url", endpoint().url)
    done = program(*classify, HOME=home, TMPDIR="/nonexistent")
    assert (done.code, accounted(program.folder / "own" / "run")) == (0, [0, 1, 2]), done.err
    assert done.err.count("warning:") == 1, "the spend store is off"
    assert "spend store cannot be used" in done.err
    assert program(*classify, HOME=home).code == 0
    for command in ("show own/run", "export own/run --trust", "review export own/run --trust"):
        done = program(*command.split(), HOME=home, TMPDIR="/nonexistent")
        assert done.code == 0, (command, done.err)
    assert sorted(path.name for path in program.folder.iterdir()) == ["docs.jsonl", "own"], "no folder named ~"


def test_a_home_with_another_users_state_folder_counts_as_no_home(program: Program, endpoint: StartEndpoint) -> None:
    """As in a container that ran as root first: `HOME=/` for both users."""
    state = program.folder / "home" / ".local" / "state"
    state.mkdir(parents=True)
    (state / "llmbatch").mkdir(mode=0o700)
    home = str(program.folder / "home")
    done = program("classify", "docs.jsonl", "--out", "own/run", "--base-url", endpoint().url, HOME=home)
    assert (done.code, "spend store cannot be used" in done.err) == (0, True), done.err
    assert program("show", "own/run", HOME=home).code == 0
    assert program("export", "own/run", "--trust", HOME=home).code == 0


@pytest.mark.parametrize("home", ["", "/"])
def test_a_daily_budget_without_a_store_is_refused(program: Program, endpoint: StartEndpoint, home: str) -> None:
    server = endpoint()
    command = ("classify", "docs.jsonl", "--out", "own/run", "--base-url", server.url, "--daily-budget", "1")
    done = program(*command, HOME=home)
    assert (done.code in {2, 8}, server.requests) == (True, 0), done.err
    assert "spend store" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("option", ["--out", "--log-file", "--metrics-file", "--spend-store", "--prompt", "--baseline"])
def test_a_folder_without_permission_is_refused_in_one_line(program: Program, option: str) -> None:
    closed = program.folder / "closed"
    closed.mkdir(mode=0o700)
    command = ("classify", "docs.jsonl", "--out", "own/run", "--base-url", "http://127.0.0.1:9", "--daily-budget", "1")
    done = program(*command, option, "closed/file", HOME="")
    assert done.code in {2, 8}, done.err
    assert "Permission denied" in done.err or "cannot be" in done.err
    assert "Traceback" not in done.err


def test_an_unreadable_input_is_refused_in_one_line(program: Program) -> None:
    (program.folder / "closed").mkdir(mode=0o700)
    for name in ("closed", "closed/docs.jsonl", "."):
        done = program("estimate", name, HOME="")
        assert (done.code, done.err.count("error:"), "Permission denied" in done.err) == (2, 1, True), done.err


def test_the_current_folder_as_input_gets_a_run_folder_of_its_name(llmbatch: Program, endpoint: StartEndpoint) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(1))
    done = llmbatch("classify", ".", "--base-url", endpoint().url)
    assert (done.code, (llmbatch.folder / f"{llmbatch.folder.name}.llmbatch").is_dir()) == (0, True), done.err


def test_a_limit_on_threads_is_reported(program: Program, endpoint: StartEndpoint) -> None:
    command = ("classify", "docs.jsonl", "--out", "own/run", "--base-url", endpoint().url)
    done = Program(program.folder, {**program.env, **as_user(NOBODY, NPROC=1)})(*command, HOME="")
    assert (done.code, "ulimit -u" in done.err) == (8, True), done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("files", [5, 8, 12, 16])
def test_a_limit_on_open_files_is_reported(program: Program, endpoint: StartEndpoint, files: int) -> None:
    command = ("classify", "docs.jsonl", "--out", "own/run", "--base-url", endpoint().url)
    done = Program(program.folder, {**program.env, **as_user(NOBODY, NOFILE=files)})(*command, HOME="")
    assert done.code == 8, done.err
    assert "Too many open files" in done.err
    assert "Traceback" not in done.err
