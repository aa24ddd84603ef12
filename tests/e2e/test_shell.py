"""The program in a shell: version, help and completion."""

import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import llmbatch as package
from llmbatch.cli.commands import SUMMARIES
from tests.e2e.program import Program, environment

SCRIPT = Path(sys.executable).with_name("llmbatch")


def test_the_version_is_one_line_or_all_versions_for_a_bug_report(llmbatch: Program) -> None:
    assert llmbatch("--version").out == f"llmbatch {package.__version__}\n"
    report = llmbatch("--version", "--json").json
    assert report == llmbatch("--json", "--version").json
    assert report["llmbatch"] == package.__version__
    assert report["python"].endswith(platform.python_version())
    for name in ("openai", "aiohttp", "pydantic", "typer", "pyarrow", "watchfiles", "httpx2"):
        assert report[name] == version(name)


def test_a_command_is_required(llmbatch: Program) -> None:
    for arguments in ((), ("--json",), ("classfy",)):
        assert llmbatch(*arguments).code == 2, arguments


def test_the_shell_completes_commands_and_options() -> None:
    def completed(words: str) -> set[str]:
        typed = {"COMP_WORDS": f"llmbatch {words}", "COMP_CWORD": str(words.count(" ") + 1)}
        asked = environment(_LLMBATCH_COMPLETE="complete_bash", **typed)
        done = subprocess.run([SCRIPT], env=asked, capture_output=True, text=True, check=True)
        return set(done.stdout.split())

    assert completed("c") == {name for name in SUMMARIES if name.startswith("c")}
    assert {"--max-cost", "--max-wait", "--max-failed"} <= completed("classify --max")
