"""A live display on a real terminal only, at any actual or claimed width."""

import os
import shutil
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, environment, quick_program, write_rows
from tests.surroundings.conftest import Shell

ESCAPE = "\x1b"
HIDDEN_CURSOR = "\x1b[?25l"


def _shown_on_a_terminal(folder: Path, url: str, **env: str) -> str:
    write_rows(folder / "docs.jsonl", documents(3))
    terminal = pexpect.spawn(
        quick_program()[0],
        [*quick_program()[1:], "classify", "docs.jsonl", "--base-url", url],
        cwd=str(folder),
        env={"NO_COLOR": "", **{k: v for k, v in environment().items() if k not in {"TERM", "NO_COLOR"}}, **env},
        encoding="utf-8",
        timeout=60,
    )
    shown: str = terminal.read()
    terminal.close()
    assert terminal.exitstatus == 0, shown
    shutil.rmtree(folder / "docs.llmbatch")
    return shown


@pytest.mark.parametrize("columns", ["0", "1", "20", "9" * 5000])
def test_the_live_display_works_at_any_width(llmbatch: Program, endpoint: StartEndpoint, columns: str) -> None:
    shown = _shown_on_a_terminal(llmbatch.folder, endpoint().url, TERM="xterm", COLUMNS=columns, LINES=columns)
    assert HIDDEN_CURSOR in shown


@pytest.mark.parametrize("env", [{}, {"TERM": ""}, {"TERM": "dumb"}, {"TERM": "xterm", "TTY_COMPATIBLE": "0"}], ids=str)
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    llmbatch: Program, endpoint: StartEndpoint, env: dict[str, str]
) -> None:
    assert ESCAPE not in _shown_on_a_terminal(llmbatch.folder, endpoint().url, **env)


@pytest.mark.parametrize(
    ("env", "codes"),
    [
        ({"FORCE_COLOR": "1"}, "colour"),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, "colour"),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "none"),
        ({"FORCE_COLOR": ""}, "none"),
        ({"TTY_COMPATIBLE": "1", "CI": "true", "TERM": "xterm"}, "none"),
    ],
    ids=str,
)
def test_a_log_may_have_colour_but_never_cursor_codes(
    llmbatch: Program, endpoint: StartEndpoint, env: dict[str, str], codes: str
) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(3))
    program = Program(llmbatch.folder, {"NO_COLOR": "", **env})
    done = program("classify", "docs.jsonl", "--base-url", endpoint().url)
    assert done.code == 0
    assert (ESCAPE in done.err) == (codes == "colour")
    assert not any(code in done.err for code in (HIDDEN_CURSOR, "\x1b[2K", "\r"))
    assert max(map(len, done.err.splitlines())) > 100, "a log is not wrapped"


def test_a_terminal_that_was_hung_up_changes_nothing(shell: Shell, endpoint: StartEndpoint) -> None:
    """Writes to it fail with EIO."""
    terminal, side = os.openpty()
    os.close(terminal)
    done = shell(f"$LLMBATCH classify docs.jsonl --json --base-url {endpoint().url} 2>&{side}", files=(side,))
    os.close(side)
    assert done.code == 0
