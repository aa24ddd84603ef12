"""The program as its users run it: as a process, against the offline endpoint, on real files."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any

from tests.e2e.forked import SERVER, Forked, client, start_forked

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "sample_data" / "docs.jsonl"
PROGRAM = [sys.executable, "-m", "llmbatch"]
QUICK = {"LLMBATCH_RETRY_WAIT_MIN": "0.001", "LLMBATCH_RETRY_WAIT_MAX": "0.01", "LLMBATCH_GRACE": "5"}


def environment(**more: str) -> dict[str, str]:
    """The environment without the variables that this machine's user has set for llmbatch itself."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AZURE_", "LLMBATCH_", "COLUMNS"))}
    return {**kept, **QUICK, "NO_COLOR": "1", **more}


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.out)
        return data


@dataclass(frozen=True)
class Program:
    """Runs llmbatch in its own folder."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None, **env: str) -> Done:
        """Run a command to its end."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin or b"")
            given.seek(0)
            code = self.onto((given.fileno(), out.fileno(), err.fileno()), *arguments, **env)
            return Done(code, _written(out), _written(err))

    def onto(self, files: tuple[int, int, int], *arguments: str | Path, **env: str) -> int:
        """Run a command with these files as its standard streams. Returns its exit code."""
        return forked().run(
            [str(argument) for argument in arguments],
            cwd=self.folder,
            env=environment(**{**self.env, **env}),
            files=files,
            timeout_s=100,
        )

    def start(
        self, *arguments: str | Path, program: Sequence[str] = (), stdin: int = subprocess.DEVNULL, **env: str
    ) -> "subprocess.Popen[str]":
        """Start a command.

        Args:
            arguments: of the program.
            program: `PROGRAM` if the process itself must be the command, not one that forwards signals to it.
            stdin: its standard input.
            env: additional variables.
        """
        return subprocess.Popen(
            [*(program or quick_program()), *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=environment(**{**self.env, **env}),
        )


def forked_command(first: int) -> str:
    """A Python script that runs its arguments from `first` on as a command, started like a `Program`."""
    return client(forked().server, first)


@cache
def quick_program() -> list[str]:
    """The start of a command line that runs the program without its imports; takes arguments, streams and signals."""
    script = Path(tempfile.mkdtemp(), "llmbatch.py")
    script.write_text(forked_command(1))
    return [sys.executable, "-SE", str(script)]


def write_command(folder: Path) -> None:
    """Write an executable `llmbatch` for shell scripts."""
    script = f"#!{sys.executable} -SE{forked_command(1)}"
    path = folder / "llmbatch"
    path.write_text(script)
    path.chmod(0o755)


@cache
def forked() -> Forked:
    """The fork server of this test run, or of this process if there are no workers."""
    shared = os.environ.get(SERVER)
    if shared is not None:
        return Forked(Path(shared))
    server, end = start_forked(environment())
    atexit.register(end)
    return Forked(server)


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


class Endpoint:
    """A running offline endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url

    @property
    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/_stats", timeout=10) as answer:
            stats: dict[str, Any] = json.load(answer)
            return stats

    @property
    def requests(self) -> int:
        count: int = self.stats["requests"]
        return count


def write_rows(path: Path, rows: list[Any]) -> Path:
    """Write a JSONL file of these rows; bytes are written unchanged."""
    lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def documents(count: int) -> list[dict[str, Any]]:
    """Rows with distinct texts."""
    subjects = ["The server crashed with a stack trace", "Revenue and profit rose", "The contract's liability clause"]
    return [{"id": f"d-{n}", "text": f"{subjects[n % 3]} in case {n}."} for n in range(count)]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file; none if it does not exist."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def views(run: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of each output of a run folder."""
    return {name: read_rows(run / f"{name}.jsonl") for name in ("results", "review", "failed", "sample")}


def accounted(run: Path) -> list[int]:
    """The row numbers in results, review and failed, sorted: each input row must be there once."""
    found = views(run)
    labelled = [row["row"] for name in ("results", "review") for row in found[name]]
    return sorted(labelled + [row["error"]["row"] for row in found["failed"]])


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[str] | None" = None) -> None:
    """Wait for a condition; fails if the process that should cause it ends first."""
    deadline = time.monotonic() + 60
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ledger_lines(run: Path) -> int:
    path = run / "ledger.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0
