"""Shell completion."""

import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import Program, write_command

TASK = '[[labels]]\nname = "a"\ndescription = "a"\n[[labels]]\nname = "b"\ndescription = "b"\n'


@pytest.fixture
def folder(llmbatch: Program) -> Path:
    here = llmbatch.folder
    for name in ("docs.llmbatch", "old/more.llmbatch", "$(touch hacked).llmbatch", "a b.llmbatch"):
        (here / name).mkdir(parents=True)
        (here / name / "run.json").write_text("{}")
    (here / "notes.toml").write_text("x = 1\n")
    (here / "tickets.toml").write_text(TASK)
    (here / "llmbatch.toml").write_text("[profile.nightly]\nseed = 1\n[profile.dear]\nseed = 2\n")
    return here


def offered(llmbatch: Program, line: str) -> list[str]:
    words = line.split(" ")
    done = llmbatch(_LLMBATCH_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert (done.code, done.err) == (0, "")
    return done.out.split()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("llmbatch cl", {"classify"}),
        ("llmbatch review st", {"status"}),
        ("llmbatch show ", {"docs.llmbatch", "old/more.llmbatch"}),
        ("llmbatch review old/", {"old/more.llmbatch"}),
        ("llmbatch show x --against d", {"docs.llmbatch"}),
        ("llmbatch classify x --task t", {"tickets.toml"}),
        ("llmbatch classify x -p ban", {"banking77"}),
        ("llmbatch prompt check n", set()),
        ("llmbatch classify x --model gpt-6-l", {"gpt-6-luna"}),
        ("llmbatch classify x --model whisper", set()),
        ("llmbatch classify x --profile ", {"nightly", "dear"}),
        ("llmbatch classify x --concurrency ", {"auto"}),
        ("llmbatch classify x --truncate ", {"head", "head-tail"}),
        ("llmbatch classify x --max-c", {"--max-cost"}),
        ("llmbatch classify docs", set()),
        ("llmbatch nonsense x", set()),
    ],
)
def test_completions_of_a_line(llmbatch: Program, line: str, expected: set[str]) -> None:
    assert set(offered(llmbatch, line)) == expected


@pytest.mark.usefixtures("folder")
def test_a_broken_file_or_variable_prints_nothing_during_completion(llmbatch: Program) -> None:
    (llmbatch.folder / "llmbatch.toml").write_text("[[")
    assert offered(llmbatch, "llmbatch show d") == ["docs.llmbatch"]
    assert offered(llmbatch, "llmbatch classify x --profile ") == []
    done = llmbatch(
        _LLMBATCH_COMPLETE="complete_bash", COMP_WORDS="llmbatch sho", COMP_CWORD="1", LLMBATCH_MAX_COSTS="1"
    )
    assert (done.out.strip(), done.err) == ("show", "")


@pytest.mark.parametrize(("shell", "shown"), [("zsh", '"docs.llmbatch"'), ("fish", "docs.llmbatch")])
def test_other_shells_get_the_same_completions(llmbatch: Program, folder: Path, shell: str, shown: str) -> None:
    done = llmbatch(
        _LLMBATCH_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS="llmbatch show d",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    assert shown in done.out
    assert not (folder / "hacked").exists()


def test_bash_completes_with_it(folder: Path) -> None:
    write_command(folder)
    script = """eval "$(_LLMBATCH_COMPLETE=source_bash llmbatch)"
        COMP_WORDS=(llmbatch show d); COMP_CWORD=2; _llmbatch_completion llmbatch; echo "${COMPREPLY[@]}" """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=folder,
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "docs.llmbatch\n"
