"""The documentation's commands and code do what the pages say."""

import ast
import asyncio
import inspect
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import Example, examples
from tests.e2e.conftest import StartEndpoint, endpoint, endpoints
from tests.e2e.program import REPOSITORY, environment, write_command

__all__ = ["endpoint", "endpoints"]

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
IN = {
    language: [page for page in PAGES if any(example.language == language for example in examples(page))]
    for language in ("sh", "python")
}
END = "\0"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: StartEndpoint) -> Path:
    """A folder with documents, where `llmbatch` is a command that sends to an offline endpoint."""
    folder, commands = tmp_path / "home", tmp_path / "bin"
    folder.mkdir()
    commands.mkdir()
    write_command(commands)
    for name in ("docs.jsonl", "gold.jsonl"):
        shutil.copy(REPOSITORY / "sample_data" / name, folder)
    variables = {
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "OPENAI_API_KEY": "sk-offline",
        "OPENAI_BASE_URL": endpoint().url,
        "LLMBATCH_SPEND_STORE": str(tmp_path / "spend.sqlite3"),
        "LLMBATCH_REUSE_STORE": str(tmp_path / "answers.sqlite"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("page", IN["sh"], ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_run_and_print_what_the_page_shows(page: Path, folder: Path) -> None:
    blocks = [example for example in examples(page) if example.language == "sh"]
    script = "".join(f"{block.code}\nprintf '\\0'\n" for block in blocks)
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=folder,
        env=environment(**{name: os.environ[name] for name in os.environ if name.startswith(("OPENAI_", "LLMBATCH_"))}),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    printed = done.stdout.split(END)
    for block, output in zip(blocks, printed, strict=False):
        assert block.is_printed_by(output), f"{page}:{block.line} printed\n{output}"
    assert len(printed) == len(blocks) + 1, f"{page}:{blocks[len(printed) - 1].line}\n{printed[-1]}\n{done.stderr}"


@pytest.mark.parametrize("page", IN["python"], ids=lambda page: str(page.relative_to(REPOSITORY)))
@pytest.mark.usefixtures("folder")
def test_python_examples_run(page: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in examples(page):
        if block.language == "python":
            _run(block, page, names)


def _run(block: Example, page: Path, names: dict[str, Any]) -> None:
    """Run a block like a notebook cell, with top-level `await`."""
    code = compile("\n" * block.line + block.code, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))
    else:
        exec(code, names)


def test_output_that_differs_from_the_page_is_detected(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('```sh\necho \'{"cost":1.25}\'\n```\n\n```text\n{"cost":...}\n```\n\n```sh\ntrue\n```\n')
    first, second = examples(page)
    assert first.is_printed_by('{"cost":1.25}\n')
    assert not first.is_printed_by("{}\n")
    assert (first.line, second.line, second.output) == (1, 9, None)
