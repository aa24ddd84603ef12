"""The program and endpoints of the end-to-end tests, and commands started by a shell."""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import endpoint, endpoints, llmbatch
from tests.e2e.forked import SURROUNDINGS
from tests.e2e.program import PROGRAM, Done, Program, documents, environment, quick_program, write_rows

__all__ = ["endpoint", "endpoints", "llmbatch"]


_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Shell:
    """Runs lines of Bash in a folder, with `$LLMBATCH` for the program.

    `$PROGRAM` starts a new interpreter.
    """

    folder: Path

    def __call__(
        self,
        line: str,
        *,
        without: tuple[str, ...] = (),
        files: tuple[int, ...] = (),
        more: Mapping[str, str] = _NOTHING,
    ) -> Done:
        """Run a line to its end. A pipeline's exit code is the last one that is not 0.

        Args:
            line: the Bash line.
            without: variables to remove from the environment.
            files: file descriptors to pass besides the standard streams.
            more: additional variables.
        """
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self._environment(without, more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            pass_fds=files,
            timeout=60,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def start(self, line: str) -> "subprocess.Popen[str]":
        """Start a line."""
        return subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _environment(self, without: tuple[str, ...] = (), more: Mapping[str, str] = _NOTHING) -> dict[str, str]:
        env = {**environment(), "LLMBATCH": shlex.join(quick_program()), "PROGRAM": shlex.join(PROGRAM), **more}
        return {name: value for name, value in env.items() if name not in without}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    write_rows(tmp_path / "docs.jsonl", documents(3))
    return Shell(tmp_path)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")


NOBODY = 43210
"""Not in the user database."""


def as_user(user: int, **limits: int) -> dict[str, str]:
    return {SURROUNDINGS: json.dumps({"user": user, "limits": limits})}


@pytest.fixture
def program() -> Iterator[Program]:
    """The program as a user without a passwd entry or home, in root's folder with one subfolder of their own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    write_rows(folder / "docs.jsonl", documents(3)).chmod(0o644)
    own = folder / "own"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    yield Program(folder, {**as_user(NOBODY), "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""})
    shutil.rmtree(folder)
